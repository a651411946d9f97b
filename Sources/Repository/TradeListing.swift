import TradeModel

/// Which trades are meant. All conditions that are given must hold.
public struct TradeFilter: Sendable {
    public var status: TradeStatus?
    public var market: MarketSymbol?
    public var since: Timestamp?
    public var until: Timestamp?

    public init(
        status: TradeStatus? = nil, market: MarketSymbol? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.status = status
        self.market = market
        self.since = since
        self.until = until
    }
}

/// Finds trades in the order in which they came, without an index in that order.
///
/// There is only a coarse index, which says between which numbers the trades of each stretch of the table lie: one that
/// is exact would cost every trade. So it looks at one window of numbers after the other, and at no more trades than a
/// window has.
public struct TradeListing {
    /// A window of so many numbers is read as a whole.
    private static let windowMax: Int64 = 8_192
    /// How much longer the next stretch is after one in which nothing was found.
    private static let growth: Int64 = 8

    private let connection: PostgresConnection
    private let filter: TradeFilter
    private let newest: Int64

    public init(_ filter: TradeFilter, on connection: PostgresConnection) throws(DatabaseError) {
        self.connection = connection
        self.filter = filter
        // The plan is to see the values: which partition, which of the indexes.
        try connection.script("set plan_cache_mode = force_custom_plan")
        newest = try connection.query(Self.newestStatement).int64(0, 0)
    }

    private static let newestStatement = Statement("trades_newest", "select last_value from received_numbers")

    /// The first so many behind a place in line, in order.
    public func first(_ limit: Int, after place: Int64) throws(DatabaseError) -> [RecordedTrade] {
        var found: [RecordedTrade] = []
        var start = max(place, 0).addingSaturated(1)
        var length = Self.windowMax
        while found.count < limit, start <= newest {
            let stretch = start..<min(start.addingSaturated(length), newest + 1)
            let (window, isEmpty) = try narrowed(stretch, fromTheStart: true)
            if !isEmpty { found += try read(window, limit - found.count, newestFirst: false) }
            start = window.upperBound
            length = isEmpty ? length.multipliedSaturated(by: Self.growth) : Self.windowMax
        }
        return found
    }

    /// The newest so many, in the order in which they came.
    public func last(_ limit: Int) throws(DatabaseError) -> [RecordedTrade] {
        var found: [RecordedTrade] = []
        var end = newest + 1
        var length = Self.windowMax
        while found.count < limit, end > 1 {
            let stretch = max(end.subtractingSaturated(length), 1)..<end
            let (window, isEmpty) = try narrowed(stretch, fromTheStart: false)
            if !isEmpty { found += try read(window, limit - found.count, newestFirst: true) }
            end = window.lowerBound
            length = isEmpty ? length.multipliedSaturated(by: Self.growth) : Self.windowMax
        }
        return found.reversed()
    }

    /// Halves a long stretch until what is left is a window at the end from which we come, with the first trade found.
    /// What was passed over is empty.
    private func narrowed(
        _ stretch: Range<Int64>, fromTheStart: Bool
    ) throws(DatabaseError) -> (window: Range<Int64>, isEmpty: Bool) {
        guard stretch.count > Int(Self.windowMax) else { return (stretch, false) }
        guard try hasAny(in: stretch) else { return (stretch, true) }
        var window = stretch
        while window.count > Int(Self.windowMax) {
            let middle = window.lowerBound + Int64(window.count) / 2
            let near = fromTheStart ? window.lowerBound..<middle : middle..<window.upperBound
            let far = fromTheStart ? middle..<window.upperBound : window.lowerBound..<middle
            window = try hasAny(in: near) ? near : far
        }
        return (window, false)
    }

    private func hasAny(in numbers: Range<Int64>) throws(DatabaseError) -> Bool {
        try connection.query(Request(statements.exists, parameters(numbers))).bool(0, 0)
    }

    private func read(
        _ numbers: Range<Int64>, _ limit: Int, newestFirst: Bool
    ) throws(DatabaseError) -> [RecordedTrade] {
        let statement = newestFirst ? statements.last : statements.first
        return TradeStore.decode(
            try connection.query(Request(statement, parameters(numbers) + [.int8(Int64(limit))])))
    }

    private func parameters(_ numbers: Range<Int64>) -> [Parameter] {
        [
            .int8(numbers.lowerBound), .int8(numbers.upperBound), .text(filter.market?.text),
            .timestamp(filter.since), .timestamp(filter.until),
        ]
    }

    // MARK: Statements

    /// One set for each status, written out, since waiting and failed trades have indexes of their own.
    private struct Statements {
        let exists: Statement
        let first: Statement
        let last: Statement

        init(_ status: TradeStatus?) {
            let name = "trades_list_" + (status?.rawValue.lowercased() ?? "all")
            let condition = """
                t.received_seq >= $1 and t.received_seq < $2 and ($3::text is null or t.market = $3)
                   and ($4::timestamptz is null or t.received_at >= $4)
                   and ($5::timestamptz is null or t.received_at < $5)
                   \(status.map { "and t.status = '\($0.rawValue)'" } ?? "")
                """
            exists = Statement(name + "_exists", "select exists (select from trades t where \(condition))")
            first = Statement(
                name + "_first",
                "select \(TradeStore.columns) from trades t where \(condition) order by t.received_seq limit $6")
            last = Statement(
                name + "_last",
                "select \(TradeStore.columns) from trades t where \(condition) order by t.received_seq desc limit $6")
        }
    }

    private static let ofAll = Statements(nil)
    private static let ofPending = Statements(.pending)
    private static let ofFailed = Statements(.failed)
    private static let ofSettled = Statements(.settled)

    private var statements: Statements {
        switch filter.status {
        case nil: Self.ofAll
        case .pending: Self.ofPending
        case .failed: Self.ofFailed
        case .settled: Self.ofSettled
        }
    }
}

extension Int64 {
    fileprivate func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    fileprivate func subtractingSaturated(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? .min : difference
    }

    fileprivate func multipliedSaturated(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
