import AuditTrail
import ServiceKit
import TradeModel

/// Everything the books know of one trade, read in one snapshot.
public struct TradeStory: Sendable {
    public let key: TradeKey
    /// nil when only a dead letter knows of it.
    public var trade: RecordedTrade?
    public var market: Market?
    /// How the queue stands, and whether the market is halted; of a trade that waits.
    public var queue: QueueControl?
    public var halt: MarketHalt?
    public var batch: Batch?
    public var postings: [Posting] = []
    /// That it was taken back, if it was, and what that moved.
    public var reversal: RecordedReversal?
    public var reversalPostings: [Posting] = []
    /// The latest attempts to take it back that were refused, newest first.
    public var reversalRefusals: [ReversalRefusal] = []
    /// Whether its stream is the output of an engine that is followed here.
    public var isOfFeed = false
    public var waiting: Waiting?
    public var letters: [(letter: DeadLetter, events: [LetterEvent])] = []

    /// The commit that settled or failed it.
    public struct Batch: Sendable {
        public let number: BatchNumber
        /// PostgreSQL's number of the transaction.
        public let transaction: String
        public let worker: Int64?
        public let host: String?
        public let processID: Int32?
        public let committedAt: Timestamp
        public let trades: Int
        /// What covers it in the chain; nil while nothing does.
        public let seal: SealMark?
    }

    /// One change of one balance, with what was there before and after.
    public struct Posting: Sendable {
        public let account: String
        public let accountKind: AccountKind
        public let asset: Asset
        public let kind: EntryKind
        public let version: Int64
        public let availableChange: Amount
        public let frozenChange: Amount
        public let available: Amount
        public let frozen: Amount

        public var availableBefore: Amount { before(available, availableChange) }
        public var frozenBefore: Amount { before(frozen, frozenChange) }

        private func before(_ after: Amount, _ change: Amount) -> Amount {
            guard let before = try? after.subtracting(change) else {
                preconditionFailure("a balance that was in the books had at most 38 digits")
            }
            return before
        }
    }

    /// Where a trade stands that waits.
    public struct Waiting: Sendable {
        /// How many wait before it.
        public let ahead: BoundedCount
        /// The nearest trade of its accounts that came before it and waits too.
        public let older: TradeKey?
        public let claimedBy: Int64?
        public let claimIsAlive: Bool
        public let notBefore: Timestamp?
        public let now: Timestamp
        public let workersAlive: Int64
    }
}

/// Reads stories.
public enum TradeStoryStore {
    /// The keys of the trades and letters that a name may mean.
    public static func keys(
        of id: Identifier, in market: MarketSymbol?, _ connection: PostgresConnection
    ) throws(DatabaseError) -> [TradeKey] {
        let answers = try connection.pipeline([
            TradeStore.find(id, in: market), Request(lettersStatement, [.text(id.text), .text(market?.text)]),
        ])
        var keys = Set(TradeStore.decode(answers[0]).map(\.key))
        for row in answers[1].indices {
            guard let market = MarketSymbol(answers[1].string(row, 1)) else { continue }
            keys.insert(TradeKey(market: market, id: id))
        }
        return keys.sorted()
    }

    /// Steps from one market to the next in the index of letters by market and id, since an id may come without one.
    private static let lettersStatement = Statement(
        "story_letters",
        """
        with recursive markets as (
            (select market from dead_letters where market is not null and ($2::text is null or market = $2)
              order by market limit 1)
            union all
            select (select l.market from dead_letters l where l.market > m.market order by l.market limit 1)
              from markets m where m.market is not null and $2::text is null)
        select l.letter_no, l.market from markets m join dead_letters l on l.market = m.market and l.trade_id = $1
         order by l.letter_no
        """)

    /// Returns nil when the books know nothing of it.
    public static func read(
        _ key: TradeKey, limits: Limits, _ connection: PostgresConnection
    ) throws(DatabaseError) -> TradeStory? {
        try connection.script(LedgerStore.readingSettings)
        return try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            var story = TradeStory(key: key)
            let catalog = try CatalogStore.read(connection)
            story.market = catalog.markets[key.market]
            let answers = try connection.pipeline([
                TradeStore.read([key]), Request(lettersStatement, [.text(key.id.text), .text(key.market.text)]),
            ])
            story.trade = TradeStore.decode(answers[0]).first
            for row in answers[1].indices {
                let number = answers[1].int64(row, 0)
                let found = try connection.pipeline([DeadLetterStore.find(number), DeadLetterStore.events(of: number)])
                story.letters += DeadLetterStore.decode(found[0]).map { ($0, DeadLetterStore.decodeEvents(found[1])) }
            }
            guard let trade = story.trade else { return story.letters.isEmpty ? nil : story }
            if let batch = trade.batch {
                story.batch = try readBatch(batch, connection)
                if let market = story.market {
                    story.postings = try readPostings(batch, market, key.id, catalog, connection)
                    try readReversal(into: &story, market, catalog, connection)
                }
            }
            if let stream = trade.trade?.stream {
                story.isOfFeed = !FeedStateStore.decode(try connection.query(FeedStateStore.list(stream)))
                    .isEmpty
            }
            if trade.status == .pending {
                story.waiting = try readWaiting(trade, limits, connection)
                let stops = try connection.pipeline([QueueControlStore.read, MarketStore.halts(of: key.market)])
                story.queue = QueueControlStore.decode(stops[0])
                story.halt = MarketStore.decodeHalts(stops[1]).first
            }
            return story
        }
    }

    private static let refusalCountMax = 3

    private static func readReversal(
        into story: inout TradeStory, _ market: Market, _ catalog: Catalog, _ connection: PostgresConnection
    ) throws(DatabaseError) {
        let answers = try connection.pipeline([
            ReversalStore.find(story.key), ReversalStore.refusals(of: story.key, limit: refusalCountMax),
        ])
        story.reversal = ReversalStore.decode(answers[0], of: story.key)
        story.reversalRefusals = ReversalStore.decodeRefusals(answers[1])
        if let batch = story.reversal?.batch {
            story.reversalPostings = try readPostings(batch, market, story.key.id, catalog, connection)
        }
    }

    // MARK: The commit

    private static let batchStatement = Statement(
        "story_batch",
        """
        select b.worker_no, w.host, w.process_id, b.committed_at, b.trades, b.transaction::text
          from batches b left join workers w using (worker_no) where b.batch_no = $1
        """)

    private static func readBatch(
        _ number: BatchNumber, _ connection: PostgresConnection
    ) throws(DatabaseError) -> TradeStory.Batch? {
        let rows = try connection.query(batchStatement, .int8(number))
        guard rows.count > 0 else { return nil }
        return TradeStory.Batch(
            number: number, transaction: rows.string(0, 5), worker: rows.optional(0, 0, rows.int64),
            host: rows.optional(0, 1, rows.string),
            processID: rows.optional(0, 2, rows.int32), committedAt: rows.timestamp(0, 3),
            trades: Int(rows.int32(0, 4)),
            seal: try SealStore.containing(number, on: connection).map(SealMark.init))
    }

    static let postingsStatement = Statement(
        "story_postings",
        """
        select a.id, a.kind::text, s.symbol, e.kind::text, e.version, e.available_delta, e.frozen_delta,
               e.available_after, e.frozen_after
          from ledger_entries e join accounts a using (account_no) join assets s using (asset_no)
         where e.batch_no = $1 and e.market_no = $2 and e.cause_id = $3 order by e.place
        """)

    private static func readPostings(
        _ batch: BatchNumber, _ market: Market, _ id: Identifier, _ catalog: Catalog, _ connection: PostgresConnection
    ) throws(DatabaseError) -> [TradeStory.Posting] {
        let rows = try connection.query(postingsStatement, .int8(batch), .int4(market.number), .text(id.text))
        return rows.indices.compactMap { row in
            guard let asset = AssetSymbol(rows.string(row, 2)).flatMap({ catalog.assets[$0] }) else { return nil }
            return TradeStory.Posting(
                account: rows.string(row, 0), accountKind: AccountKind(rawValue: rows.string(row, 1))!, asset: asset,
                kind: EntryKind(rawValue: rows.string(row, 3))!, version: rows.int64(row, 4),
                availableChange: rows.amount(row, 5), frozenChange: rows.amount(row, 6),
                available: rows.amount(row, 7), frozen: rows.amount(row, 8))
        }
    }

    // MARK: The line

    private static let waitingStatement = Statement(
        "story_waiting",
        """
        select (select count(*) from (select from trades o
                                       where o.status = 'PENDING' and o.received_seq < t.received_seq limit $3) ahead),
               t.claimed_by, t.not_before, clock_timestamp(),
               exists (select from workers w where w.worker_no = t.claimed_by
                          and abs(extract(epoch from clock_timestamp() - w.heartbeat_at)) * 1000 < $4),
               (select count(*) from workers w
                 where abs(extract(epoch from clock_timestamp() - w.heartbeat_at)) * 1000 < $4),
               older.market, older.trade_id
          from trades t
          left join lateral (
               (select o.market, o.trade_id, o.received_seq from trades o
                 where o.status = 'PENDING' and o.buyer_id in (t.buyer_id, t.seller_id)
                   and o.received_seq < t.received_seq order by o.received_seq desc limit 1)
               union all
               (select o.market, o.trade_id, o.received_seq from trades o
                 where o.status = 'PENDING' and o.seller_id in (t.buyer_id, t.seller_id)
                   and o.received_seq < t.received_seq order by o.received_seq desc limit 1)
               order by received_seq desc limit 1) older on true
         where t.market = $1 and t.trade_id = $2
        """)

    private static func readWaiting(
        _ trade: RecordedTrade, _ limits: Limits, _ connection: PostgresConnection
    ) throws(DatabaseError) -> TradeStory.Waiting? {
        let rows = try connection.query(
            waitingStatement, .text(trade.key.market.text), .text(trade.key.id.text), BoundedCount.limit(),
            .int8(Int64(limits.heartbeatTimeoutMilliseconds)))
        guard rows.count > 0 else { return nil }
        let older = rows.optional(0, 6, rows.string).flatMap { MarketSymbol($0) }
        return TradeStory.Waiting(
            ahead: BoundedCount(rows.int64(0, 0)),
            older: older.map { TradeKey(market: $0, id: Identifier(stored: rows.string(0, 7))) },
            claimedBy: rows.optional(0, 1, rows.int64), claimIsAlive: rows.bool(0, 4),
            notBefore: rows.optional(0, 2, rows.timestamp), now: rows.timestamp(0, 3), workersAlive: rows.int64(0, 5))
    }
}
