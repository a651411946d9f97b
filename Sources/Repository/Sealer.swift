import AuditTrail
import TradeModel

/// Seals what is decided, stretch by stretch, of all processes on a database one at a time.
///
/// Nothing is waited for: as long as a batch is under way, what stands behind it is left for later.
public struct Sealer: Sendable {
    /// So many rows make a stretch full: what one statement holds in memory. A batch is never divided.
    public static let rowsMax: Int64 = 20_000
    private static let batchesMax: Int64 = 10_000

    /// What is not full is sealed when its oldest batch is so old.
    private let interval: Duration
    private let rowsMax: Int64
    /// Up to here every batch is there for good, or never will be.
    private var decided: BatchNumber = -1
    private var horizon: BatchHorizon?
    /// Without the indexes, each stretch would have all of a table gone through; small ones do without.
    private var canFindByBatch = false
    /// The session that this is known from: behind another one may be a server that was set back.
    private var session: Int32?

    public init(interval: Duration, rowsMax: Int64 = rowsMax) {
        self.interval = interval
        self.rowsMax = rowsMax
    }

    static let lockStatement = Statement(
        "sealing_lock", "select pg_try_advisory_xact_lock(\(AdvisoryLock.sealing), 1)")
    /// The last batch of a full stretch, whether there is one, and how old the oldest of what is there is.
    static let stretchStatement = Statement(
        "sealing_stretch",
        """
        with ahead as materialized (
            select batch_no, committed_at, entries::bigint + trades + operations as rows
              from batches where batch_no >= $1 and batch_no <= $2 order by batch_no limit $4),
        running as (select batch_no, sum(rows) over (order by batch_no) as total from ahead)
        select count(*), coalesce(max(r.batch_no) filter (where r.total <= $3), min(r.batch_no)),
               count(*) = $4 or max(r.total) > $3,
               coalesce((select extract(epoch from clock_timestamp() - min(committed_at)) * 1000 from ahead), 0)::bigint
          from running r
        """)

    /// Seals the next stretch if there is one that is full or old enough, and returns its seal.
    ///
    /// - Parameter atOnce: whether neither a full stretch nor indexes are waited for.
    public mutating func advance(
        on connection: PostgresConnection, atOnce: Bool = false
    ) throws(DatabaseError) -> Seal? {
        if session != connection.backend { (session, decided, horizon) = (connection.backend, -1, nil) }
        try look(connection)
        guard decided >= 0 else { return nil }
        if !canFindByBatch { canFindByBatch = try IndexesByBatch.areBuilt(on: connection) }
        guard canFindByBatch || atOnce else { return nil }
        let (interval, rowsMax, decided) = (interval, rowsMax, decided)
        return try connection.transaction { () throws(DatabaseError) -> Seal? in
            guard try connection.query(Self.lockStatement).bool(0, 0) else { return nil }
            // Read behind the lock: what another process has sealed is there.
            let last = try SealStore.last(on: connection)
            let first = last?.batches.upperBound ?? 0
            let rows = try connection.query(
                Self.stretchStatement, .int8(first), .int8(decided), .int8(rowsMax), .int8(Self.batchesMax))
            guard rows.int64(0, 0) > 0 else { return nil }
            let isFull = rows.bool(0, 2)
            guard isFull || atOnce || .milliseconds(rows.int64(0, 3)) >= interval else { return nil }
            // Numbers that nobody used are sealed with the rest: nothing may come in under them.
            let next = (isFull ? rows.int64(0, 1) : decided) + 1
            try connection.script(SealStore.settings)
            let (contents, now) = try SealStore.contents(of: first..<next, linesMax: nil, on: connection)
            let seal = Seal(after: last, upTo: next, contents: contents, sealedAt: now)
            try SealStore.insert(seal, on: connection)
            return seal
        }
    }

    /// Asks how far batches are decided; twice at most, since what was asked for may just have ended.
    private mutating func look(_ connection: PostgresConnection) throws(DatabaseError) {
        for _ in 0..<2 {
            if let horizon {
                guard try horizon.isReached(on: connection) else { return }
                decided = horizon.newest
                self.horizon = nil
            } else {
                let horizon = try BatchHorizon(on: connection)
                guard horizon.newest > decided else { return }
                self.horizon = horizon
            }
        }
    }
}
