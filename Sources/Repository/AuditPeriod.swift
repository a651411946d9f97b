import AuditTrail
import TradeModel

/// What is exported of a time for an auditor: the seals that have a batch of it, and all balances at its ends.
public struct AuditPeriod {
    /// Why a time cannot be exported yet.
    public enum Refusal: Error, Equatable {
        case isNotOver(now: Timestamp)
        /// So many batches of it stand in no seal.
        case isNotSealed(batches: Int64)
    }

    public let period: Range<Timestamp>
    /// The numbers of the seals; empty where nothing was committed.
    public let seals: ClosedRange<Int64>?
    /// The last seal before those.
    public let before: SealMark

    static let boundsStatement = Statement(
        "audit_bounds",
        """
        select min(batch_no), max(batch_no),
               count(*) filter (where batch_no >=
                   coalesce((select next_batch from ledger_seals order by seal_no desc limit 1), 0))
          from batches where committed_at >= $1 and committed_at < $2
        """)
    /// Nearly the last batch from before a time: all that matters is that its seal is not a later one.
    static let earlierStatement = Statement(
        "audit_earlier",
        "select batch_no from batches where committed_at < $1 order by committed_at desc, batch_no desc limit 1")

    /// Waits until nothing can be committed any more that belongs to the time, no longer than the patience.
    public init(
        _ period: Range<Timestamp>, on connection: PostgresConnection, patience: Duration = .seconds(10)
    ) throws {
        let horizon = try CommitHorizon(upTo: [period.upperBound], on: connection)
        guard horizon.now >= period.upperBound else { throw Refusal.isNotOver(now: horizon.now) }
        try horizon.reach(on: connection, patience: patience)
        self.period = period
        let rows = try connection.query(
            Self.boundsStatement, .timestamp(period.lowerBound), .timestamp(period.upperBound))
        guard rows.int64(0, 2) == 0 else { throw Refusal.isNotSealed(batches: rows.int64(0, 2)) }
        let last: Int64
        if rows.isNull(0, 0) {
            seals = nil
            let earlier = try connection.query(Self.earlierStatement, .timestamp(period.lowerBound))
            last =
                earlier.count == 0
                ? 0 : try SealStore.covering(earlier.int64(0, 0)...earlier.int64(0, 0), on: connection).first
        } else {
            let (first, final) = try SealStore.covering(rows.int64(0, 0)...rows.int64(0, 1), on: connection)
            seals = first...max(first, final)
            last = first - 1
        }
        // One that is not there, since somebody has removed it, is found when what follows is checked.
        before =
            try last > 0
            ? SealStore.list(after: last - 1, limit: 1, on: connection).first.map(SealMark.init) ?? .start : .start
    }
}

/// What a balance was at the beginning and at the end of a time.
public struct BalanceCourse: Sendable {
    public let kind: String
    public let account: String
    public let asset: String
    public let opening: BalanceMoment
    public let closing: BalanceMoment
}

/// All balances at the ends of a time, account by account.
public struct TrialBalance {
    private static let accountsMax: Int64 = 500

    private let period: Range<Timestamp>
    private let connection: PostgresConnection
    private var last: AccountNumber = 0
    private let assets: [AssetNumber: String]

    public init(_ period: Range<Timestamp>, on connection: PostgresConnection) throws(DatabaseError) {
        self.period = period
        self.connection = connection
        assets = try CatalogStore.read(connection).assets.values.reduce(into: [:]) { $0[$1.number] = $1.symbol.text }
    }

    static let accountsStatement = Statement(
        "trial_balance_accounts",
        "select account_no, kind::text, id from accounts where account_no > $1 order by account_no limit $2")

    /// The balances of the next accounts, those that had an entry by the end; nil behind the last.
    public mutating func next() throws -> [BalanceCourse]? {
        let rows = try connection.query(Self.accountsStatement, .int8(last), .int8(Self.accountsMax))
        guard rows.count > 0 else { return nil }
        last = rows.int64(rows.count - 1, 0)
        let accounts = rows.indices.map { rows.int64($0, 0) }
        // Up to the last moment before; what is asked for does not change any more, so that one snapshot is as good as
        // another.
        let times = [period.lowerBound, period.upperBound].map { Timestamp(microseconds: $0.microseconds - 1) }
        let (opening, closing) = try LedgerReader.read(connection, upTo: times) { reader throws(DatabaseError) in
            (
                try reader.balances(of: accounts, asOf: times[0]), try reader.balances(of: accounts, asOf: times[1])
            )
        }
        let byAccount = Dictionary(grouping: closing.filter { $0.value.version > 0 }, by: \.key.account)
        return rows.indices.flatMap { row in
            (byAccount[accounts[row]] ?? []).sorted { $0.key.asset < $1.key.asset }
                .map { key, moment in
                    BalanceCourse(
                        kind: rows.string(row, 1), account: rows.string(row, 2), asset: assets[key.asset] ?? "",
                        opening: opening[key] ?? BalanceMoment(), closing: moment)
                }
        }
    }
}
