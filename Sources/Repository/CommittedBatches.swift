import TradeModel

/// What was committed, batch by batch, for readers who must miss nothing: within a time in the order of commits, or
/// behind a batch in the order of numbers.
///
/// A batch says when it commits a moment before others can see it. So the end of the time is never later than now, and
/// reading begins when every transaction has ended that could still bring a batch from before that end. Numbers need no
/// clock: reading begins when every batch up to the newest is decided.
public struct CommittedBatches {
    /// One commit, as far as it has been read: a place in the order.
    public struct Place: Sendable, Equatable {
        public let time: Timestamp
        public let batch: BatchNumber

        /// Before everything, in any order.
        public static let beginning = Place(time: Timestamp(microseconds: 0))

        public init(time: Timestamp, batch: BatchNumber = -1) {
            self.time = time
            self.batch = batch
        }
    }

    struct Header {
        let place: Place
        let entries: Int
    }

    /// Which batches are read, in which order.
    private enum Order {
        case time(until: Timestamp)
        /// Those up to this one; what comes in the order of time up to a place was read before.
        case number(upTo: BatchNumber, read: Place?)
    }

    static let headersMax: Int64 = 1_000
    static let pageEntriesMax = 4_000

    let connection: PostgresConnection
    private let order: Order
    private(set) var catalog: Catalog
    /// The last batch that was handed out.
    public private(set) var place: Place
    private var headers: ArraySlice<Header> = []
    private var isAtEnd = false

    /// - Parameters:
    ///   - until: nil for now.
    ///   - patience: how long transactions may take to end that could still bring something.
    public init(
        after place: Place, until: Timestamp?, on connection: PostgresConnection, patience: Duration = .seconds(10)
    ) throws {
        try connection.script(LedgerStore.readingSettings)
        let horizon = try CommitHorizon(on: connection)
        self.connection = connection
        order = .time(until: min(until ?? .init(microseconds: .max), horizon.now))
        self.place = place
        catalog = try CatalogStore.read(connection)
        try horizon.reach(on: connection, patience: patience)
    }

    /// - Parameters:
    ///   - batch: the last one that was read; of this only the number counts.
    ///   - read: what comes up to here in the order of time was read before, whatever its number.
    ///   - patience: how long transactions may take to end that hold the number of a batch.
    public init(
        behind batch: Place, read: Place?, on connection: PostgresConnection, patience: Duration
    ) throws {
        try connection.script(LedgerStore.readingSettings)
        let horizon = try BatchHorizon(on: connection)
        self.connection = connection
        order = .number(upTo: horizon.newest, read: read)
        place = batch
        catalog = try CatalogStore.read(connection)
        guard try horizon.wait(on: connection, patience: patience) else { throw HorizonError(until: .now) }
    }

    /// Batches from then on are left out; nil where the time does not count.
    public var until: Timestamp? {
        if case .time(let until) = order { until } else { nil }
    }

    var isByNumber: Bool { until == nil }

    private static let headersStatement = Statement(
        "committed_headers",
        """
        select batch_no, committed_at, entries from batches
         where (committed_at, batch_no) > ($1, $2) and committed_at < $3
         order by committed_at, batch_no limit $4
        """)
    private static let numberedStatement = Statement(
        "committed_headers_by_number",
        """
        select batch_no, committed_at, entries from batches
         where batch_no > $1 and batch_no <= $2 and ($3 is null or (committed_at, batch_no) > ($3, $4))
         order by batch_no limit $5
        """)

    private var headersRequest: Request {
        switch order {
        case .time(let until):
            Request(
                Self.headersStatement,
                [.timestamp(place.time), .int8(place.batch), .timestamp(until), .int8(Self.headersMax)])
        case .number(let newest, let read):
            Request(
                Self.numberedStatement,
                [
                    .int8(place.batch), .int8(newest), .timestamp(read?.time), .int8(read?.batch),
                    .int8(Self.headersMax),
                ])
        }
    }

    /// The next batches that together have about so many entries as a page takes; nil after the last.
    ///
    /// The entries between the first and the last of their numbers are gone through. So one whose number was given out
    /// long before it was used, or after the beginning of another range, is left for the next page.
    mutating func nextPage() throws(DatabaseError) -> Page? {
        var page: Page?
        var entries = 0
        while entries < Self.pageEntriesMax {
            if headers.isEmpty, !isAtEnd { try readHeaders() }
            guard let header = headers.first else { break }
            if header.entries > 0 {
                guard let next = Page(page, adding: header.place.batch) else { break }
                page = next
            }
            headers.removeFirst()
            place = header.place
            entries += header.entries
        }
        return page
    }

    /// Batches whose numbers are close together.
    struct Page: Equatable {
        private static let strangersMax = 16

        private(set) var batches: [BatchNumber]
        private(set) var numbers: ClosedRange<BatchNumber>

        /// Returns nil when too many other batches lie between them.
        init?(_ page: Page?, adding batch: BatchNumber) {
            batches = (page?.batches ?? []) + [batch]
            numbers = min(page?.numbers.lowerBound ?? batch, batch)...max(page?.numbers.upperBound ?? batch, batch)
            guard numbers.count <= 2 * batches.count + Self.strangersMax else { return nil }
        }

        /// For statements over ``CommittedBatches/isOfPage``.
        var parameters: [Parameter] {
            [.int8s(batches) { $0 }, .int8(numbers.lowerBound), .int8(numbers.upperBound)]
        }
    }

    private mutating func readHeaders() throws(DatabaseError) {
        let rows = try connection.query(headersRequest)
        isAtEnd = rows.count < Int(Self.headersMax)
        headers =
            rows.indices.map { row in
                Header(
                    place: Place(time: rows.timestamp(row, 1), batch: rows.int64(row, 0)),
                    entries: Int(rows.int32(row, 2)))
            }[...]
        // Assets and markets that these batches brought first.
        catalog = try CatalogStore.read(connection)
    }

    private static let placeStatement = Statement(
        "committed_place", "select committed_at from batches where batch_no = $1")

    /// The place of a batch; nil when there is none of this number.
    public static func place(
        of batch: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> Place? {
        let rows = try connection.query(placeStatement, .int8(batch))
        return rows.count == 0 ? nil : Place(time: rows.timestamp(0, 0), batch: batch)
    }

    private static let lastStatement = Statement(
        "committed_last",
        "select committed_at, batch_no from batches where batch_no <= $1 order by batch_no desc limit 1")

    /// The last batch up to the newest, to be asked when all were read in the order of numbers; the place where there
    /// is none.
    public func last() throws(DatabaseError) -> Place {
        guard case .number(let newest, _) = order else { return place }
        let rows = try connection.query(Self.lastStatement, .int8(newest))
        return rows.count == 0 ? place : Place(time: rows.timestamp(0, 0), batch: rows.int64(0, 1))
    }

    private static let totalsStatement = Statement(
        "committed_totals",
        """
        select coalesce(sum(entries), 0), coalesce(sum(trades), 0) from batches
         where (committed_at, batch_no) > ($1, $2) and committed_at < $3
        """)

    /// How many entries and settled trades are still to come.
    public func totals() throws(DatabaseError) -> (entries: Int, trades: Int) {
        let rows = try connection.query(
            Self.totalsStatement, .timestamp(place.time), .int8(place.batch), .timestamp(until))
        return (Int(rows.int64(0, 0)), Int(rows.int64(0, 1)))
    }
}
