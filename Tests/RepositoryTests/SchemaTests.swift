import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

/// What the tables themselves refuse and make, whoever asks.
@Suite struct SchemaTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            trade("t1", quantity: "0.5"),
        ])
    }

    // Trap 22: terminal states are immutable.
    @Test(arguments: [
        "update trades set price = 1", "update trades set status = 'PENDING'", "delete from trades",
        "update ledger_entries set version = 7", "delete from ledger_entries", "truncate ledger_entries",
        "truncate trades",
        "insert into balances values (1, 1, 0, 0, -1)", "update balances set available = -1 where lowest = 0",
        """
        insert into ledger_entries select batch_no, account_no, version, place + 9, asset_no, market_no, kind, cause_id,
               available_delta, frozen_delta, available_after, frozen_after from ledger_entries where place = 0
        """,
        "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) values ('BTC/USDT', '', 1, 1, 'a', 'b')",
        "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) values ('A/B', 'x', 1, 1, 'a', 'b')",
    ])
    func `what is final or would not balance is refused`(sql: String) throws {
        #expect(throws: DatabaseError.self) { try database.execute(sql) }
        #expect(try database.violations() == [])
    }

    @Test(arguments: ["chr(7)", "'a' || chr(31)", "chr(127)", "repeat('x', 65)"])
    func `a row is refused under an id that no trade can have`(id: String) throws {
        #expect(throws: DatabaseError.self) {
            try database.execute(
                """
                insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
                values ('BTC/USDT', \(id), 1, 1, 'alice', 'bob')
                """)
        }
        #expect(try database.violations() == [])
    }

    @Test(arguments: ["quantity = 2", "price = 1", "buyer_id = 'eve'", "trade_id = 't3'", "buy_order_id = 'o'"])
    func `what a trade says does not change while a worker may hold it`(change: String) async throws {
        let connection = try database.connect()
        guard case .trade(let waiting) = trade("t2", quantity: "0.5").subject else { return }
        try connection.query(TradeStore.accept([waiting]))
        #expect(throws: DatabaseError.self) {
            try database.execute("update trades set \(change) where trade_id = 't2'")
        }
        try database.execute("update trades set not_before = now(), executed_at = now() where trade_id = 't2'")
        let rows = TradeStore.decode(try connection.query(TradeStore.read([waiting.key])))
        let item = SettlementItem(
            .trade(rows[0].trade!), origin: .pending(receivedSequence: rows[0].receivedSequence, attempts: 0))
        #expect(try await wallet.settle([item]) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a database that cannot hold every text, or isolates by another rule, is told`() throws {
        try database.connect().script(
            "create database \(database.name)_latin encoding 'LATIN1' locale 'C' template template0")
        let error = #expect(throws: DatabaseError.self) {
            try PostgresConnection(
                database.connectionString.replacing(
                    "dbname='\(database.name)'", with: "dbname='\(database.name)_latin'"))
        }
        #expect(error?.message.contains("UTF8") == true)

        try database.execute("alter database \(database.name) set default_transaction_isolation = 'serializable'")
        #expect(try database.value("select current_setting('transaction_isolation')") == "read committed")
    }

    @Test func `a market is added while others trade`() async throws {
        // An open transaction that has inserted into trades, as a settlement has.
        let other = try database.connect()
        try other.script(
            """
            begin; insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            values ('BTC/USDT', 'held', 1, 1, 'alice', 'bob')
            """)
        try database.execute("set lock_timeout = 2000; insert into assets (symbol, decimals) values ('ETH', 18)")
        var limits = Limits()
        limits.lockTimeoutMilliseconds = 2_000
        _ = try database.connect(limits).pipeline([
            CatalogStore.addMarket(
                MarketSymbol("ETH/USDT")!, priceDecimals: 2, tick: nil, lot: nil, fees: .quote)
        ])
        try other.script("rollback")
        _ = try await wallet.settle([operation("d3", .deposit, "bob", "1", "ETH")])
        var inNewMarket = trade("e1", quantity: "0.5")
        if case .trade(var trade) = inNewMarket.subject {
            trade.market = MarketSymbol("ETH/USDT")!
            inNewMarket.subject = .trade(trade)
        }
        #expect(try await wallet.settle([inNewMarket]) == [.settled])
        // The new partition refuses what the others refuse.
        #expect(throws: DatabaseError.self) {
            try database.execute("update trades set price = 1 where trade_id = 'e1'")
        }
        #expect(try database.violations() == [])
    }

    // Trap 36: partitions make themselves.
    @Test func `the ledger goes on over the end of a range`() async throws {
        try database.execute("select setval('batch_numbers', (1 << 20) * 3 - 3)")
        let ranges = "select count(*) from pg_inherits where inhparent = 'ledger_entries'::regclass"
        let before = Int(try database.value(ranges))!
        let second = database.wallet()
        for number in 0..<6 {
            let next = number % 2 == 0 ? wallet : second
            #expect(try await next.settle([operation("x\(number)", .deposit, "alice", "1", "USDT")]) == [.settled])
        }
        #expect(Int(try database.value(ranges))! >= before + 2)
        #expect(try database.value("select count(distinct tableoid) from ledger_entries") == "3")
        _ = try database.connect().pipeline([BatchStore.maintain])
        #expect(Int(try database.value(ranges))! >= before + 3)
        #expect(try database.violations() == [])
    }

    @Test func `a balance keeps its room through the transaction that opens it, and gives it up with the next change`()
        async throws
    {
        let room = "select string_agg(octet_length(room)::text, ' ') from balances where account_no = account('carol')"
        try database.execute(
            """
            create function account(text) returns bigint language sql as
                $$ select account_no from accounts where id = $1 and kind = 'customer' $$
            """)
        _ = try await wallet.settle([operation("c1", .deposit, "carol", "3", "USDT")])
        #expect(try database.value(room) == "40")
        _ = try await wallet.settle([operation("c2", .withdrawal, "carol", "1", "USDT")])
        #expect(try database.value(room) == "")
        // With what is held, too.
        _ = try await wallet.settle([operation("c3", .deposit, "carol", "3", "BTC")])
        #expect(try database.value(room) == "40")
        _ = try await wallet.settle([operation("c4", .reserve, "carol", "1", "BTC", order: "o9")])
        #expect(try database.value(room) == "")
        #expect(try database.violations() == [])
    }

    @Test func `balances that a batch opens and changes stay on their page`() throws {
        // When: one transaction opens balances for several pages, and changes them.
        try database.execute("insert into accounts (id) select 'many-' || n from generate_series(1, 400) n")
        let numbers = try database.value(
            "select min(account_no) || ' ' || max(account_no) from accounts where id like 'many-%'"
        ).split(separator: " ").map { AccountNumber($0)! }
        let keys = (numbers[0]...numbers[1]).map { BalanceKey(account: $0, asset: 1) }
        let changes = keys.map {
            BalanceChange(
                key: $0, availableDelta: Amount.zero, frozenDelta: .zero, entryCount: 1, availableLowest: .zero,
                frozenLowest: .zero, ceiling: nil, line: nil)
        }
        let connection = try database.connect()
        try connection.script("begin")
        _ = try connection.pipeline([BalanceStore.open(keys.map { ($0, .zero) }), BalanceStore.apply(changes)])
        try connection.script("commit")
        // Then: no change needed an entry in the index.
        try connection.script("select pg_stat_force_next_flush()")
        let updates = Statement(
            "updates",
            """
            select n_tup_upd, n_tup_upd - n_tup_hot_upd from pg_stat_user_tables where relname = 'balances'
            """)
        let rows = try connection.query(updates)
        #expect(rows.int64(0, 0) >= 400)
        #expect(rows.int64(0, 1) == 0)
    }

    @Test func `the ids of accounts and trades are what their bytes are`() async throws {
        let composed = "caf\u{e9}"
        let decomposed = "cafe\u{301}"
        _ = try await wallet.settle([
            operation("k1", .deposit, composed, "1", "USDT"), operation("k2", .deposit, decomposed, "2", "USDT"),
            operation("k3", .deposit, "'; drop table trades; --\\\"", "3", "USDT"),
        ])
        #expect(try database.available(composed, "USDT") == "1.000000")
        #expect(try database.available(decomposed, "USDT") == "2.000000")
        #expect(try database.value("select count(*) from accounts where kind = 'customer'") == "5")
        #expect(try database.violations() == [])
    }
}
