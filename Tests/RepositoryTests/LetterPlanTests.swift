import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// What an operator asks of dead letters is answered along an index, however many there are.
@Suite(.serialized) struct LetterPlanTests {
    private static let count = 200_000
    private static let database = Result { try makeDatabase() }

    /// Letters of four classes in three markets and of a hundred accounts, half of them of one account; nine in ten
    /// open.
    private static func makeDatabase() throws -> TestDatabase {
        let database = try TestDatabase()
        try database.addMarket()
        try database.execute(
            """
            insert into dead_letters (fingerprint, class, message, status, attempts, stored, market, trade_id, buyer_id,
                                      seller_id, source, payload, parked_at, changed_at, received_seq, short_account,
                                      short_asset, short_needed, short_available, short_held, short_missing)
            select sha256(n::text::bytea),
                   (array['insufficient_funds', 'insufficient_funds', 'conflict', 'queue_full'])[1 + n % 4], 'x',
                   (case when n % 20 = 0 then 'discarded' when n % 20 = 1 then 'retried' else 'open' end)::letter_status,
                   1, n % 4 <> 2, (array['BTC/USDT', 'ETH/USDT', 'BTC/ETH'])[1 + n % 3], n::text,
                   case when n % 2 = 0 then 'maker' else 'acc-' || n % 100 end, 'acc-' || n % 97, 'test', '{}',
                   timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + n * interval '1 second',
                   n, case when n % 4 < 2 then 'acc-' || n % 100 end, 'USDT', 10, 1, 0, 9
              from generate_series(1, \(count)) n;
            alter table dead_letters set (autovacuum_enabled = off);
            \(analysis)
            """)
        return database
    }

    /// Statistics of all rows instead of a sample, so that each run has the same plans.
    private static let analysis = "set default_statistics_target = 1000; analyze dead_letters"

    /// The plan as it was carried out.
    private func plan(_ request: Request) throws -> [String] {
        let connection = try Self.database.get().connect()
        try DeadLetterStore.keepToIndexes(connection)
        let statement = Statement(
            "explained_\(request.statement.name)", "explain (analyze, timing off) \(request.statement.sql)")
        let rows = try connection.query(Request(statement, request.parameters))
        return rows.indices.map { rows.string($0, 0) }
    }

    /// The largest number of rows that a step of the plan made or threw away.
    private func rows(_ plan: [String]) -> Int {
        plan.flatMap { line in
            line.matches(of: #/actual rows=([\d.]+) loops=(\d+)/#).map {
                Int(($0.1.split(separator: ".").first).map(String.init) ?? "0")! * Int($0.2)!
            } + line.matches(of: #/Rows Removed by (?:Filter|Join Filter|Index Recheck): (\d+)/#).map { Int($0.1)! }
        }.max() ?? 0
    }

    private func expectBounded(
        _ request: Request, rows bound: Int, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let plan = try plan(request)
        let text = plan.joined(separator: "\n")
        #expect(!text.contains("Seq Scan on dead_letters"), "\(text)", sourceLocation: location)
        #expect(rows(plan) <= bound, "\(text)", sourceLocation: location)
    }

    private static let filters: [LetterFilter] = {
        let market = MarketSymbol("ETH/USDT")!
        let middle = Timestamp("2026-01-02T12:00:00Z")!
        let late = Timestamp("2026-01-03T06:00:00Z")!
        let single = [
            LetterFilter(), LetterFilter(failureClass: .conflict), LetterFilter(failureClass: .undecodable),
            LetterFilter(market: market), LetterFilter(market: MarketSymbol("NO/SUCH")!),
            LetterFilter(account: Identifier("maker")!), LetterFilter(account: Identifier("acc-1")!),
            LetterFilter(account: Identifier("nobody")!), LetterFilter(failureClass: .queueFull, market: market),
            LetterFilter(failureClass: .conflict, account: Identifier("acc-3")!),
            LetterFilter(market: market, account: Identifier("maker")!),
            LetterFilter(failureClass: .insufficientFunds, market: market, account: Identifier("maker")!),
        ]
        return single.flatMap { filter in
            [(nil, nil), (middle, nil), (nil, middle), (middle, late)].flatMap { since, until in
                LetterStatus.allCases.map { status in
                    var filter = filter
                    filter.since = since
                    filter.until = until
                    filter.status = status
                    return filter
                }
            }
        }
    }()

    @Test func `a page of letters is one short walk, whatever the filter`() throws {
        for filter in Self.filters {
            // Accounts of a hundredth of the letters may be read and sorted.
            try expectBounded(DeadLetterStore.list(filter, after: 0, limit: 51), rows: 5_000)
            try expectBounded(DeadLetterStore.list(filter, after: 120_000, limit: 51), rows: 5_000)
        }
    }

    @Test func `a page of an account's letters goes by the account, whatever the statistics promise`() throws {
        // None of this account's letters was retried. Where nearly all letters are said to be its own, the way through
        // all that were retried looks short.
        let database = try Self.database.get()
        try database.execute(
            """
            update pg_statistic set stanumbers1[1] = 0.98
             where starelid = 'dead_letters'::regclass
               and staattnum = (select attnum from pg_attribute
                                 where attrelid = 'dead_letters'::regclass and attname = 'buyer_id')
            """)
        defer { try? database.execute(Self.analysis) }
        #expect(
            try database.value(
                """
                select (most_common_vals::text::text[])[1] || ' ' || most_common_freqs[1] from pg_stats
                 where tablename = 'dead_letters' and attname = 'buyer_id'
                """) == "maker 0.98")
        let filter = LetterFilter(account: Identifier("maker")!, status: .retried)
        try expectBounded(DeadLetterStore.list(filter, after: 0, limit: 51), rows: 100)
        try expectBounded(DeadLetterStore.list(filter, after: 120_000, limit: 51), rows: 100)
    }

    @Test func `how many match is counted up to a bound`() throws {
        for filter in Self.filters {
            try expectBounded(DeadLetterStore.countBounded(filter), rows: 30 * BoundedCount.bound)
        }
        let counted = DeadLetterStore.decodeBounded(
            try Self.database.get().connect().query(DeadLetterStore.countBounded(LetterFilter(status: .open))))
        #expect(counted.value == 10_000 && counted.hasMore)
        let few = LetterFilter(account: Identifier("acc-1")!, status: .discarded)
        let exact = DeadLetterStore.decodeBounded(
            try Self.database.get().connect().query(DeadLetterStore.countBounded(few)))
        #expect(!exact.hasMore)
        #expect(
            try Self.database.get().count(
                "dead_letters where 'acc-1' in (buyer_id, seller_id) and status = 'discarded'") == Int(exact.value))
    }

    @Test func `statistics are bounded counts along an index`() throws {
        let bound = BoundedCount.bound + 1
        try expectBounded(
            DeadLetterStore.statistics(ofClasses: FailureClass.allCases), rows: bound * FailureClass.allCases.count)
        try expectBounded(DeadLetterStore.statistics(ofMarkets: ["BTC/USDT", "ETH/USDT"]), rows: 2 * bound)
        try expectBounded(DeadLetterStore.statisticsOfNowhere, rows: bound)
        try expectBounded(DeadLetterStore.markets(after: "", limit: 51), rows: 10)
        let names = DeadLetterStore.decodeNames(
            try Self.database.get().connect().query(DeadLetterStore.markets(after: "BTC/ETH", limit: 51)))
        #expect(names == ["BTC/USDT", "ETH/USDT"])
    }

    @Test func `what a retry takes next, what it brings and what brought it are found along an index`() throws {
        let now = Timestamp.now
        for filter in [LetterFilter(status: .open), LetterFilter(failureClass: .queueFull, status: .open)] {
            try expectBounded(
                DeadLetterStore.inLine(
                    filter, after: LinePlace(place: 150_000, letter: 150_000), unchangedSince: now, limit: 500),
                rows: 5_000)
        }
        let connection = try Self.database.get().connect()
        let letter = DeadLetterStore.decode(try connection.query(DeadLetterStore.find(150_001)))[0]
        let shortfall = try #require(letter.shortfall)
        #expect(shortfall.missing == 9 && shortfall.account.text == "acc-1")
        try expectBounded(DeadLetterStore.funders(of: letter, shortfall, limit: 10), rows: 2_000)
        let trade = Trade(
            id: Identifier("x")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("1")!,
            quantity: DecimalNumber("1")!, buyer: Identifier("maker")!, seller: Identifier("acc-1")!)
        try expectBounded(DeadLetterStore.funded(by: trade, of: letter, limit: 1_001), rows: 2_002)
        try expectBounded(
            DeadLetterStore.retryDue(
                [.queueFull, .retriesExhausted], attemptsMax: 3, countMax: 100, backoffSeconds: 60,
                backoffSecondsMax: 600), rows: 1_000)
        try expectBounded(
            PurgedLetterStore.count(olderThan: Timestamp("2026-01-03T00:00:00Z")!, after: nil, limit: 1_000),
            rows: 2_000)
    }
}
