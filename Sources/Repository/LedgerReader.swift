import TradeModel

/// Reads the ledger by account, in one snapshot, over segments that have an index and one that may not.
///
/// A balance's entries are numbered without a gap, and their numbers and the times of their commits rise together: its
/// row is locked from the one to the other. What is asked for is therefore known by its versions, and a search can
/// tell when it has all.
public struct LedgerReader {
    let connection: PostgresConnection
    let segments: [LedgerSegment]
    /// A moment before the snapshot, after which nothing is known for good: what is asked about a later time is
    /// answered as of this one.
    public let begunAt: Timestamp

    /// The time between the giving out of a batch's number and `committed_at` is shorter than this, since
    /// `timely_batch()` refuses a transaction that is older. So batches of numbers close together commit in nearly
    /// their order.
    static let lateness = "interval '5 minutes'"

    /// Runs `body` in one snapshot of the books.
    ///
    /// - Parameter times: what is asked about these does not change any more: transactions that could still bring
    ///   batches from before them are waited for, no longer than `patience`.
    public static func read<Value>(
        _ connection: PostgresConnection, upTo times: [Timestamp] = [], patience: Duration = .seconds(10),
        _ body: (LedgerReader) throws(DatabaseError) -> Value
    ) throws -> Value {
        let horizon = try CommitHorizon(upTo: times, on: connection)
        try horizon.reach(on: connection, patience: patience)
        // The joins are of few rows.
        try connection.script(
            "\(LedgerStore.readingSettings); set enable_hashjoin = off; set enable_mergejoin = off")
        return try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            try body(
                LedgerReader(
                    connection: connection, segments: LedgerSegmentStore.read(connection), begunAt: horizon.now))
        }
    }

    // MARK: Batches by time

    private static let lowerBoundStatement = Statement(
        "batches_lower_bound",
        "select batch_no from batches where committed_at < $1 - \(lateness) order by committed_at desc limit 1")
    private static let upperBoundStatement = Statement(
        "batches_upper_bound",
        "select batch_no from batches where committed_at > $1 + \(lateness) order by committed_at limit 1")

    /// A number that is less than those of all batches committed at a time or after it.
    func number(beforeAllSince time: Timestamp) throws(DatabaseError) -> BatchNumber {
        let rows = try connection.query(Self.lowerBoundStatement, .timestamp(time))
        return rows.count == 0 ? -1 : rows.int64(0, 0)
    }

    /// A number that is greater than those of all batches committed up to a time.
    func number(afterAllUntil time: Timestamp) throws(DatabaseError) -> BatchNumber {
        let rows = try connection.query(Self.upperBoundStatement, .timestamp(time))
        return rows.count == 0 ? .max : rows.int64(0, 0)
    }

    // MARK: Balances at a time

    /// The balances after every batch that was committed up to a time, by the clock of the database, and up to
    /// ``begunAt``.
    public func balances(
        of accounts: some Collection<AccountNumber>, asset: AssetNumber? = nil, asOf time: Timestamp
    ) throws(DatabaseError) -> [BalanceKey: BalanceMoment] {
        let current = try BalanceStore.current(of: accounts, asset: asset, connection)
        let time = min(time, begunAt)
        let limit = try number(afterAllUntil: time)
        var search = Search(current)
        for segment in segments.reversed() where segment.batches.lowerBound < limit {
            guard !search.open.isEmpty else { break }
            for found in try entries(of: search.open, asOf: time, in: segment) { search.take(found) }
            // Balances whose entries after the one found are in segments that need not be looked at.
            for (key, found) in search.unproven
            where segment.batches.lowerBound <= (try number(beforeAllSince: found.at)) { search.close(key) }
        }
        return current.keys.reduce(into: [:]) { $0[$1] = search.best[$1]?.moment ?? BalanceMoment() }
    }

    /// One balance in one segment: the last entry by a time, and the version of the first after it.
    private struct Found {
        let key: BalanceKey
        var best: (moment: BalanceMoment, at: Timestamp)?
        var next: Int64?
    }

    /// What is known so far; a balance is done when the entry that follows the one found is known to be later.
    private struct Search {
        private let newest: [BalanceKey: Int64]
        private(set) var open: Set<BalanceKey>
        private(set) var best: [BalanceKey: (moment: BalanceMoment, at: Timestamp)] = [:]
        private var next: [BalanceKey: Int64] = [:]

        init(_ current: [BalanceKey: BalanceMoment]) {
            newest = current.mapValues(\.version)
            open = Set(current.filter { $0.value.version > 0 }.keys)
        }

        var unproven: [(key: BalanceKey, found: (moment: BalanceMoment, at: Timestamp))] {
            open.compactMap { key in best[key].map { (key, $0) } }
        }

        mutating func take(_ found: Found) {
            let key = found.key
            if let other = found.best, other.moment.version > best[key]?.moment.version ?? 0 { best[key] = other }
            if let other = found.next { next[key] = min(next[key] ?? .max, other) }
            let version = best[key]?.moment.version ?? 0
            if version == newest[key] || version + 1 == next[key] { close(key) }
        }

        mutating func close(_ key: BalanceKey) { open.remove(key) }
    }

    private static let halvingStatement = Statement(
        "ledger_as_of_indexed",
        """
        select k.account_no, k.asset_no, e.version, e.committed_at, e.available, e.frozen, e.next_version
          from (select unnest($3) as account_no, unnest($4) as asset_no) k,
               lateral entry_as_of($1, $2, k.account_no, k.asset_no, $5) e
        """)

    /// Goes through all entries of the segment, once for all balances.
    static let scanningStatement = Statement(
        "ledger_as_of_bare",
        """
        select f.account_no, f.asset_no, f.last[1]::bigint, b.committed_at, f.last[3], f.last[4], f.next
          from (select e.account_no, e.asset_no,
                       max(array[e.version::numeric, e.batch_no, e.available_after, e.frozen_after])
                           filter (where c.committed_at <= $4) as last,
                       min(e.version) filter (where c.committed_at > $4) as next
                  from ledger_entries e join batches c using (batch_no)
                 where e.batch_no >= $1 and e.batch_no < $2 and e.account_no = any ($3)
                 group by e.account_no, e.asset_no) f
          left join batches b on b.batch_no = f.last[2]::bigint
        """)

    private func entries(
        of keys: Set<BalanceKey>, asOf time: Timestamp, in segment: LedgerSegment
    ) throws(DatabaseError) -> [Found] {
        let batches = (Parameter.int8(segment.batches.lowerBound), Parameter.int8(segment.batches.upperBound))
        let rows =
            segment.isIndexed
            ? try connection.query(
                Self.halvingStatement, batches.0, batches.1, .int8s(keys) { $0.account }, .int4s(keys) { $0.asset },
                .timestamp(time))
            : try connection.query(
                Self.scanningStatement, batches.0, batches.1, .int8s(Set(keys.map(\.account))) { $0 },
                .timestamp(time))
        return rows.indices.compactMap { row in
            let key = BalanceKey(account: rows.int64(row, 0), asset: rows.int32(row, 1))
            guard keys.contains(key) else { return nil }
            var found = Found(key: key, next: rows.optional(row, 6, rows.int64))
            if !rows.isNull(row, 2) {
                let moment = BalanceMoment(
                    version: rows.int64(row, 2), available: rows.amount(row, 4), frozen: rows.amount(row, 5))
                found.best = (moment, rows.timestamp(row, 3))
            }
            return found
        }
    }
}
