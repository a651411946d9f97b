import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What a halted market holds back, whatever wallets remember of it.
@Suite struct MarketHaltTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        try database.addMarket("ETH/USDT")
        wallet = database.wallet()
        _ = try await wallet.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"),
            deposit("d3", "carol", "1", "USDT"),
        ])
    }

    @discardableResult
    private func setHalted(_ isHalted: Bool) throws -> Bool {
        let connection = try database.connect()
        let market = try CatalogStore.read(connection).markets[MarketSymbol("BTC/USDT")!]!
        return try MarketStore.setHalted(isHalted, market, actor: "eve", reason: "test", on: connection)
    }

    private func buying(_ id: String, _ price: String = "10") -> SettlementItem {
        trade(id, price: price, quantity: "1", buyer: "alice", seller: "bob")
    }

    @Test(arguments: [false, true]) func `a trade of a halted market waits, whatever a wallet remembers`(
        isRemembered: Bool
    ) async throws {
        if isRemembered { #expect(try await wallet.settle([buying("t0")]) == [.settled]) }
        #expect(try setHalted(true))
        let other = isRemembered ? wallet : database.wallet()
        let row = try database.pending(buying("t1"))
        #expect(try await other.settle([buying("t2"), buying("t2"), row[0]]) == [.deferred, .duplicate, .deferred])
        #expect(
            try database.value(
                "select string_agg(trade_id || status || coalesce(not_before::text, ''), ' ' order by trade_id) "
                    + "from trades where trade_id <> 't0'") == "t1PENDING t2PENDING")
        #expect(try database.count("dead_letters") == 0)

        // The same wallet remembers the halt now, and must notice that it is over.
        #expect(try setHalted(false))
        #expect(try await other.settle([buying("t3")]) == [.settled])
        #expect(try await other.settle(row) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `other markets and money go on`() async throws {
        try setHalted(true)
        _ = try await wallet.settle([deposit("d9", "bob", "5", "ETH")])
        let eth = SettlementItem(
            .trade(
                Trade(
                    id: Identifier("e1")!, market: MarketSymbol("ETH/USDT")!, price: DecimalNumber("10")!,
                    quantity: DecimalNumber("1")!, buyer: Identifier("alice")!, seller: Identifier("bob")!)),
            origin: .message("test"))
        #expect(try await wallet.settle([buying("t1"), eth]) == [.deferred, .settled])
        #expect(try database.violations() == [])
    }

    @Test(arguments: [false, true]) func `a wallet that remembers otherwise parks nothing of what is held back`(
        isSealed: Bool
    ) async throws {
        // Given: the wallet knows the market as one that goes on.
        #expect(try await wallet.settle([buying("t0")]) == [.settled])
        if isSealed {
            try database.execute("update queue_control set paused = true, sealed = true")
        } else {
            #expect(try setHalted(true))
        }

        // When: what comes would be rejected, and nothing else is in the batch.
        let poor = trade("t1", price: "60", quantity: "1", buyer: "carol", seller: "bob")
        #expect(try await wallet.settle([poor]) == [.deferred])

        // Then: it waits, and is judged when that is over.
        #expect(try database.value("select status from trades where trade_id = 't1'") == "PENDING")
        #expect(try database.count("dead_letters") == 0)
        if isSealed {
            try database.execute("update queue_control set paused = false, sealed = false")
        } else {
            #expect(try setHalted(false))
        }
        #expect(try await wallet.settle(try database.claimed(["t1"]))[0].failureClass == .insufficientFunds)
        #expect(try database.violations() == [])
    }

    @Test func `a halt waits for the batch that is just parking, too`() async throws {
        #expect(try await wallet.settle([buying("t0")]) == [.settled])
        let holder = try database.connect()
        try holder.script("begin; lock table dead_letters in exclusive mode")
        async let parked = wallet.settle([
            trade("t1", price: "60", quantity: "1", buyer: "carol", seller: "bob")
        ])
        try await database.untilWaitingForLocks(1)
        let halting = inBackground { try self.setHalted(true) }
        try await database.untilWaitingForLocks(2)
        #expect(try database.value("select bool_or(halted) from markets") == "false")
        try holder.script("commit")
        #expect(try await parked[0].failureClass == .insufficientFunds)
        #expect(try await halting.value)
        #expect(try database.violations() == [])
    }

    @Test func `a halt waits for the batch that is just settling, and holds for the next`() async throws {
        let holder = try database.holding("alice", "USDT")
        async let settled = wallet.settle([buying("t1")])
        try await database.untilWaitingForLocks(1)
        let halting = inBackground { try self.setHalted(true) }
        try await database.untilWaitingForLocks(2)
        let later = database.wallet()
        async let deferred = later.settle([buying("t2")])
        try await database.untilWaitingForLocks(3)
        #expect(try database.value("select bool_or(halted) from markets") == "false")
        try holder.commit()
        #expect(try await settled == [.settled])
        #expect(try await halting.value)
        #expect(try await deferred == [.deferred])
        #expect(try database.violations() == [])
    }

    @Test func `who lacks money that a halted market may bring waits too`() async throws {
        let row = try database.pending(trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"))
        try setHalted(true)
        _ = try await wallet.settle([deposit("d9", "dora", "5", "ETH")])
        let needs = SettlementItem(
            .trade(
                Trade(
                    id: Identifier("e1")!, market: MarketSymbol("ETH/USDT")!, price: DecimalNumber("50")!,
                    quantity: DecimalNumber("1")!, buyer: Identifier("bob")!, seller: Identifier("dora")!)),
            origin: .message("test"))
        #expect(try await wallet.settle([needs]) == [.deferred])
        // In one batch as well.
        #expect(try await database.wallet().settle(row + [needs]) == [.deferred, .duplicate])
        try setHalted(false)
        #expect(try await wallet.settle(row) == [.settled])
        #expect(try await wallet.settle(try database.claimed(["e1"])) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test(arguments: [false, true]) func `rows of a halted market are not claimed once the halt is known`(
        isKnown: Bool
    ) async throws {
        _ = try database.pending(buying("t1"))
        try database.execute(
            """
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            select 'ETH/USDT', 'e' || n, 1, 1, 'alice', 'bob' from generate_series(1, 3) n
            """)
        _ = try database.pending(buying("t2"))
        try setHalted(true)
        let connection = try database.connect()
        #expect(try QueueControlStore.read(connection).hasHaltedMarkets)
        let claim = TradeStore.claim(
            worker: 1, limit: 10, heartbeatTimeoutMilliseconds: 1_000, hasHaltedMarkets: isKnown)
        let claimed = TradeStore.decode(try connection.query(claim)).map(\.key.id.text)
        #expect(claimed == (isKnown ? ["e1", "e2", "e3"] : ["t1", "e1", "e2", "e3", "t2"]))
        try setHalted(false)
        #expect(try !QueueControlStore.read(connection).hasHaltedMarkets)
        #expect(try database.violations() == [])
    }

    @Test func `nothing is claimed while the queue is paused`() async throws {
        _ = try database.pending(buying("t1"))
        let connection = try database.connect()
        try QueueControlStore.set(paused: true, actor: "eve", reason: "", on: connection)
        for hasHaltedMarkets in [false, true] {
            let claim = TradeStore.claim(
                worker: 1, limit: 10, heartbeatTimeoutMilliseconds: 1_000, hasHaltedMarkets: hasHaltedMarkets)
            #expect(try connection.query(claim).count == 0)
        }
        #expect(try !QueueControlStore.set(paused: true, actor: "eve", reason: "", on: connection).isNew)
        #expect(try QueueControlStore.set(paused: false, actor: "eve", reason: "", on: connection).isNew)
        #expect(try database.violations() == [])
    }

    // A look at what waits costs something; what has waited long can wait a little longer.
    @Test(arguments: [("1100 milliseconds", 256), ("10 seconds", 2_048), ("1 day", 8_192)])
    func `a trade that waits for an older one is left alone for up to a quarter of its age`(
        age: String, step: Int
    ) async throws {
        // Sold by somebody else in a market of its own, the older trade is never settled here.
        let rows = try database.pending(
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t2", price: "50", quantity: "11", buyer: "bob", seller: "carol"))
        try database.execute("update trades set received_at = now() - interval '\(age)'")
        #expect(try await wallet.settle([rows[1]]) == [.deferred])
        let wait = try database.value(
            "select round(extract(epoch from not_before - (select max(committed_at) from batches)) * 1000) "
                + "from trades where trade_id = 't2'")
        // A little more where the machine is slow: the age goes on while the batch is written.
        let waited = try #require(Int(wait))
        #expect(waited <= 2 * step && waited > -1_000, "\(waited)")
        // All that are put back now or a little later fall due with it, or before it.
        #expect(
            try database.value(
                "select (extract(epoch from not_before) * 1000)::bigint % \(step) from trades where trade_id = 't2'")
                == "0")
        #expect(try database.violations() == [])
    }
}

extension TestDatabase {
    /// Stored rows as a process gets them that has claimed them.
    fileprivate func claimed(_ ids: [String]) throws -> [SettlementItem] {
        try ids.flatMap { id in
            TradeStore.decode(try connect().query(TradeStore.find(Identifier(id)!, in: nil))).map {
                SettlementItem(
                    .trade($0.trade!), origin: .pending(receivedSequence: $0.receivedSequence, attempts: $0.attempts))
            }
        }
    }
}
