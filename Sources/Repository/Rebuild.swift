import TradeModel

/// What the books come to when they are computed anew: balances from the ledger's entries, and the sums of the entries
/// from what caused them, the settled trades and the operations.
///
/// The queries share no code with the settlement, and keep what they add up in tables of the session, which the server
/// writes to disk when they grow. All of it is of one moment. Only the balances, and the newest batches, are read in
/// the snapshot of that moment: the batches before them are decided, and say the same in whichever snapshot they are
/// read. So they follow in ranges, each in a short one, and however large the books are, none stands in the way of the
/// settlement for long.
public struct Rebuild: Sendable {
    /// A figure that is not what it comes to, in plain decimals.
    public struct Difference: Hashable, Sendable {
        public enum Figure: String, Sendable {
            /// Of a balance, against the sum of its entries; the version against their count.
            case available, frozen, version
            /// The sum of an account's entries of trades and fees, against what the settled trades say.
            case traded
            /// The sums of its other entries, against what the operations say.
            case moved, held
        }

        public let account: String
        public let asset: String
        public let figure: Figure
        /// nil where there is no such balance.
        public let standing: String?
        public let rebuilt: String
        /// What has to be added to what stands.
        public let change: String
    }

    public private(set) var balances: Int64 = 0
    public private(set) var entries: Int64 = 0
    public private(set) var trades: Int64 = 0
    public private(set) var operations: Int64 = 0
    /// All of them; the first so many are named.
    public private(set) var differenceCount: Int64 = 0
    public private(set) var differences: [Difference] = []

    public static let differencesMax: Int64 = 100

    public var isClean: Bool { differenceCount == 0 }

    /// How many rows there are to go through, as far as their batches say.
    public static func size(_ connection: PostgresConnection) throws(DatabaseError) -> Int {
        Int(try connection.query(sizeStatement).int64(0, 0))
    }

    /// Computes everything, or what some accounts have.
    ///
    /// - Parameters:
    ///   - accounts: nil for all.
    ///   - schema: where the result is to be written as well; checked before by
    ///     ``ScratchSchema/standing(_:)``.
    ///   - rangeEntries: how many entries of the ledger are added up in one snapshot.
    ///   - patience: how long transactions may take to end that hold the number of a batch.
    ///   - progress: is told how many rows were gone through, between two snapshots.
    public init(
        of accounts: [NamedAccount]?, into schema: ScratchSchema? = nil,
        rangeEntries: Int64 = Verification.rangeEntries, patience: Duration = .seconds(30),
        on connection: PostgresConnection, progress: (Int) -> Void = { _ in }
    ) throws {
        try connection.liftStatementTimeout()
        try connection.script(Self.tables)
        if let accounts {
            try add(of: accounts, connection)
        } else {
            try addAll(BatchRanges(entries: rangeEntries, connection: connection), patience, connection, progress)
        }
        // What was added up does not change any more; nor do the names of accounts.
        try connection.script("set work_mem = '64MB'; analyze rebuilt_balances; analyze rebuilt_causes")
        take(try connection.query(Self.balancesStatement, .int8(Self.differencesMax)))
        take(try connection.query(Self.sumsStatement, .int8(Self.differencesMax)))
        try schema?.write(connection)
    }

    private mutating func addAll(
        _ ranges: BatchRanges, _ patience: Duration, _ connection: PostgresConnection, _ progress: (Int) -> Void
    ) throws {
        let horizon = try BatchHorizon(on: connection)
        guard try horizon.wait(on: connection, patience: patience) else { throw HorizonError(until: .now) }
        // The moment: the balances, and those of the batches behind the horizon that had come by then.
        try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            balances = Int64(try connection.query(Self.standingStatement, Parameter(.int8Array, nil)).affected)
            try add((horizon.newest + 1)...Verification.lastNumber, connection)
        }
        progress(Int(entries + trades + operations))
        var next = Verification.firstNumber
        while next <= horizon.newest {
            let last = try ranges.end(from: next, upTo: horizon.newest) ?? horizon.newest
            try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
                try add(next...last, connection)
            }
            progress(Int(entries + trades + operations))
            next = last + 1
        }
    }

    /// Within a transaction.
    private mutating func add(
        _ batches: ClosedRange<BatchNumber>, _ connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.script(BatchRanges.settings)
        let range: [Parameter] = [.int8(batches.lowerBound), .int8(batches.upperBound)]
        let answers = try connection.pipeline(
            [Self.entriesStatement, Self.tradesStatement, Self.operationsStatement].map { Request($0, range) })
        entries += answers[0].int64(0, 0)
        trades += answers[1].int64(0, 0)
        operations += answers[2].int64(0, 0)
    }

    /// By the indexes: their entries, and the trades and operations that these name.
    private mutating func add(of accounts: [NamedAccount], _ connection: PostgresConnection) throws(DatabaseError) {
        try connection.script(
            "\(LedgerStore.readingSettings); set enable_hashjoin = off; set enable_mergejoin = off")
        let numbers = Parameter.int8s(accounts) { $0.number }
        let (kinds, ids) = (Parameter.texts(accounts) { $0.kind.rawValue }, Parameter.texts(accounts) { $0.id })
        try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            balances = Int64(try connection.query(Self.standingStatement, numbers).affected)
            for segment in try LedgerSegmentStore.read(connection) {
                let batches = (Parameter.int8(segment.batches.lowerBound), Parameter.int8(segment.batches.upperBound))
                entries += try connection.query(Self.entriesOfStatement, batches.0, batches.1, numbers).int64(0, 0)
            }
            trades = try connection.query(Self.tradesOfStatement, kinds, ids).int64(0, 0)
            operations = try connection.query(Self.operationsOfStatement, kinds, ids).int64(0, 0)
        }
    }

    private mutating func take(_ rows: Rows) {
        guard rows.count > 0 else { return }
        differenceCount += rows.int64(0, 6)
        differences += rows.indices.prefix(Int(Self.differencesMax) - differences.count).map { row in
            Difference(
                account: rows.string(row, 0), asset: rows.string(row, 1),
                figure: Difference.Figure(rawValue: rows.string(row, 2))!,
                standing: rows.optional(row, 3, rows.string), rebuilt: rows.string(row, 4),
                change: rows.string(row, 5))
        }
    }
}
