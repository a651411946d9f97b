import TradeModel

/// What the books come to when they are computed anew: balances from the ledger's entries, and the sums of the entries
/// from what caused them, the settled trades and the operations.
///
/// The queries share no code with the settlement. They see one moment of the books, so that settlement may go on, and
/// keep what they add up in tables of the session, which the server writes to disk when they grow.
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
    ///   - schema: where the result is to be written as well; checked before by ``ScratchSchema/check(_:)``.
    ///   - progress: is told how many rows were gone through.
    public init(
        of accounts: [NamedAccount]?, into schema: ScratchSchema? = nil, at snapshot: HeldSnapshot,
        on connection: PostgresConnection, progress: (Int) -> Void = { _ in }
    ) throws(DatabaseError) {
        try connection.liftStatementTimeout()
        try connection.script(Self.tables)
        if let accounts {
            try add(of: accounts, at: snapshot, connection)
        } else {
            try addAll(at: snapshot, connection, progress)
        }
        let numbers = Parameter.int8s(accounts, \.number)
        balances = try snapshot.read(connection) { () throws(DatabaseError) in
            Int64(try connection.query(Self.standingStatement, numbers).affected)
        }
        // Of what was added up meanwhile that moment knows nothing; the names of accounts do not change.
        try connection.script("analyze standing_balances; analyze rebuilt_entries; analyze rebuilt_causes")
        take(try connection.query(Self.balancesStatement, .int8(Self.differencesMax)))
        take(try connection.query(Self.sumsStatement, .int8(Self.differencesMax)))
        try schema?.write(connection)
    }

    private mutating func addAll(
        at snapshot: HeldSnapshot, _ connection: PostgresConnection, _ progress: (Int) -> Void
    ) throws(DatabaseError) {
        try connection.script("set work_mem = '64MB'; set plan_cache_mode = force_custom_plan")
        let (ranges, markets) = try snapshot.read(connection) { () throws(DatabaseError) in
            (try connection.query(Self.rangesStatement), try connection.query(Self.marketsStatement))
        }
        for row in ranges.indices {
            entries += try snapshot.read(connection) { () throws(DatabaseError) in
                try connection.query(
                    Self.entriesStatement, .int8(ranges.int64(row, 0)), .int8(ranges.int64(row, 1))
                ).int64(0, 0)
            }
            progress(Int(entries))
        }
        for row in markets.indices {
            trades += try snapshot.read(connection) { () throws(DatabaseError) in
                try connection.query(Self.tradesStatement, .text(markets.string(row, 0))).int64(0, 0)
            }
            progress(Int(entries + trades))
        }
        operations = try snapshot.read(connection) { () throws(DatabaseError) in
            try connection.query(Self.operationsStatement).int64(0, 0)
        }
        progress(Int(entries + trades + operations))
    }

    /// By the indexes: their entries, and the trades and operations that these name.
    private mutating func add(
        of accounts: [NamedAccount], at snapshot: HeldSnapshot, _ connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.script(
            "\(LedgerStore.readingSettings); set enable_hashjoin = off; set enable_mergejoin = off")
        let numbers = Parameter.int8s(accounts, \.number)
        try snapshot.read(connection) { () throws(DatabaseError) in
            for segment in try LedgerSegmentStore.read(connection) {
                let batches = (Parameter.int8(segment.batches.lowerBound), Parameter.int8(segment.batches.upperBound))
                entries += try connection.query(Self.entriesOfStatement, batches.0, batches.1, numbers).int64(0, 0)
            }
            let (kinds, ids) = (Parameter.texts(accounts) { $0.kind.rawValue }, Parameter.texts(accounts) { $0.id })
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

extension Parameter {
    /// NULL instead of an array where there is no collection.
    fileprivate static func int8s<Element>(_ source: [Element]?, _ value: (Element) -> Int64) -> Parameter {
        guard let source else { return Parameter(.int8Array, nil) }
        return int8s(source) { value($0) }
    }
}
