import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Two at once on the same money, each moment held open by a third connection.
@Suite struct InterleavingTests {
    private let database: TestDatabase
    private let first: Wallet
    private let second: Wallet

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
        first = database.wallet()
        second = database.wallet()
    }

    private func fund() async throws {
        _ = try await first.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"),
            deposit("d3", "carol", "10", "BTC"),
        ])
    }

    @Test func `a deposit that commits while a trade is being rejected settles it instead`() async throws {
        try await fund()
        _ = try await first.settle([trade("t0", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
        let holder = try database.holding("alice", "USDT")
        async let deposited = second.settle([deposit("d9", "alice", "50", "USDT")])
        try await database.untilWaitingForLocks(1)
        async let settled = first.settle([trade("t1", price: "50", quantity: "1", buyer: "alice", seller: "bob")])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await deposited == [.settled])
        #expect(try await settled == [.settled])
        #expect(try database.available("alice", "USDT") == "0.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a trade whose market is just being added is not parked for want of it`() async throws {
        try await fund()
        let adding = try database.connect()
        try adding.script(
            "begin; insert into assets (symbol, decimals) values ('EUR', 2); "
                + "select add_market('BTC/EUR', 'BTC', 'EUR', 2, null, null, 'received')")
        let item = trade("t1", market: "BTC/EUR", price: "50", quantity: "1", buyer: "alice", seller: "bob")
        async let settled = first.settle([item])
        try await database.untilWaitingForLocks(1)
        try adding.script("commit")
        #expect(try await settled.map(\.failureClass) == [.insufficientFunds])
        #expect(try database.count("dead_letters where class = 'unknown_market'") == 0)
        #expect(try database.violations() == [])
    }

    @Test func `a claim of what was retried with other content since settles nothing`() async throws {
        try await fund()
        // given a trade that somebody has claimed, and that meanwhile failed, was corrected and waits again
        let item = trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob")
        let stale = try database.pending(item)
        try database.execute(
            """
            update trades set status = 'FAILED' where trade_id = 't1';
            update trades set status = 'PENDING', price = 50, received_seq = nextval('received_numbers')
             where trade_id = 't1'
            """)
        // when the old claim is settled, then nothing moves, and the trade waits on
        #expect(try await first.settle(stale) == [.duplicate])
        #expect(try database.value("select status from trades where trade_id = 't1'") == "PENDING")
        #expect(try database.available("alice", "USDT") == "100.000000")
        // and who claims it now settles what it says now
        let fresh = try database.pending(trade("t1", price: "50", quantity: "1", buyer: "alice", seller: "bob"))
        #expect(try await second.settle(fresh) == [.settled])
        #expect(try database.available("alice", "USDT") == "50.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a cache that says too much loses its guard and plans anew`() async throws {
        try await fund()
        _ = try await second.settle([trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
        let outcome = try await first.settle([trade("t2", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
        #expect(outcome[0].failureClass == .insufficientFunds)
        #expect(try database.violations() == [])
    }

    @Test func `a cache that says too little parks no good trade`() async throws {
        try await fund()
        _ = try await first.settle([trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
        _ = try await second.settle([deposit("d9", "alice", "100", "USDT")])
        let outcome = try await first.settle([trade("t2", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
        #expect(outcome == [.settled])
        #expect(try database.violations() == [])
    }

    @Test(arguments: [false, true])
    func `a waiting trade that spends what an older one brings waits for it`(isCold: Bool) async throws {
        try await fund()
        let rows = try database.pending(
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "carol"),
            trade("t2", price: "50", quantity: "1", buyer: "carol", seller: "bob"))
        let other = isCold ? database.wallet() : first
        #expect(try await other.settle([rows[1]]) == [.deferred])
        #expect(try await second.settle([rows[0]]) == [.settled])
        #expect(try await other.settle([rows[1]]) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a trade waits too when the older one stands behind it in the batch`() async throws {
        try await fund()
        let row = try database.pending(trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "carol"))[0]
        let later = trade("t2", price: "50", quantity: "1", buyer: "carol", seller: "bob")
        #expect(try await first.settle([later, row]) == [.deferred, .settled])
        #expect(try database.value("select status from trades where trade_id = 't2'") == "PENDING")
        #expect(try database.violations() == [])
    }

    @Test func `a message of a trade whose row is being settled waits for that and is a duplicate`() async throws {
        try await fund()
        let message = trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob")
        let row = try database.pending(message)
        #expect(try await second.settle([message]) == [.duplicate])
        let holder = try database.holding("alice", "USDT")
        let third = database.wallet()
        async let settled = first.settle(row)
        try await database.untilWaitingForLocks(1)
        async let repeated = third.settle([message])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await settled == [.settled])
        #expect(try await repeated == [.duplicate])
        #expect(try database.available("alice", "USDT") == "40.000000")
        #expect(try database.violations() == [])
    }

    // Trap 14: an expired claim costs work, never money.
    @Test func `a row that two processes have claimed settles once`() async throws {
        try await fund()
        // There is money for twice: only the claims keep it.
        let rows = try database.pending(
            trade("t1", price: "30", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t2", price: "10", quantity: "1", buyer: "alice", seller: "bob"))
        let holder = try database.holding("alice", "USDT")
        async let once = first.settle([rows[0]])
        try await database.untilWaitingForLocks(1)
        async let again = second.settle(rows)
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await once == [.settled])
        #expect(try await again == [.duplicate, .settled])
        #expect(try await database.wallet().settle(rows) == [.duplicate, .duplicate])
        #expect(try database.available("alice", "USDT") == "60.000000")
        #expect(try database.violations() == [])
    }

    // Trap 22: what failed once is not paid twice by its retry.
    @Test(arguments: [true, false])
    func `a late duplicate of a trade that is just being retried has no effect`(isCommitted: Bool) async throws {
        try await fund()
        let message = trade("t1", price: "160", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await first.settle([message])[0].failureClass == .insufficientFunds)
        _ = try await second.settle([deposit("d9", "alice", "60", "USDT")])
        let letter = Int64(try database.value("select letter_no from dead_letters"))!
        let operator_ = try database.connect()
        try operator_.script("begin")
        #expect(try operator_.query(DeadLetterStore.retry([letter], actor: "eve", reason: "")).count == 1)
        async let repeated = second.settle([message])
        try await database.untilWaitingForLocks(1)
        try operator_.script(isCommitted ? "commit" : "rollback")
        #expect(try await repeated == [.duplicate])
        #expect(
            try database.value("select status || ' ' || (select status from dead_letters) from trades")
                == (isCommitted ? "PENDING retried" : "FAILED open"))
        #expect(try database.violations() == [])

        if isCommitted {
            #expect(try await first.settle(database.pending(message)) == [.settled])
            #expect(try await second.settle([message]) == [.duplicate])
            #expect(try database.available("alice", "USDT") == "0.000000")
            #expect(try database.violations() == [])
        }
    }

    @Test(arguments: ["discard", "edit"])
    func `who discards or edits a letter first is not overridden by a retry`(action: String) async throws {
        try await fund()
        let message = trade("t1", price: "160", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await first.settle([message])[0].failureClass == .insufficientFunds)
        let one = try database.connect()
        let letter = DeadLetterStore.decode(try one.query(DeadLetterStore.find(1)))[0]
        try one.script("begin")
        var cheaper = message.trade!
        cheaper.price = DecimalNumber("1")!
        let request =
            action == "discard"
            ? DeadLetterStore.discard([1], actor: "eve", reason: "x")
            : DeadLetterStore.edit(letter, to: cheaper, payload: [], actor: "eve", reason: "x", change: "x")
        #expect(try one.query(request).count == 1)
        async let retried = onThreadOfItsOwn { [database] in
            try database.connect().query(DeadLetterStore.retry([1], actor: "bob", reason: "")).count
        }
        try await database.untilWaitingForLocks(1)
        try one.script("commit")
        #expect(try await retried == 0)
        #expect(
            try database.value("select status || ' ' || (select status from dead_letters) from trades")
                == (action == "discard" ? "FAILED discarded" : "FAILED open"))
        #expect(try database.violations() == [])
    }

    @Test func `an account that opens while its trade is being rejected is seen`() async throws {
        try await fund()
        let holder = try database.connect()
        try holder.script(
            """
            begin; insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            values ('BTC/USDT', 't1', 1, 1, 'x', 'y')
            """)
        async let settled = first.settle([trade("t1", price: "10", quantity: "1", buyer: "dave", seller: "bob")])
        try await database.untilWaitingForLocks(1)
        _ = try await second.settle([deposit("d9", "dave", "10", "USDT")])
        try holder.script("rollback")
        #expect(try await settled == [.settled])
        #expect(try database.value("select count(*) from dead_letters") == "0")
        #expect(try database.violations() == [])
    }

    // Trap 13: what cannot be known yet is waited for.
    @Test(arguments: [true, false])
    func `the claim of an id waits for a transaction that has it, and finds its result`(isCommitted: Bool) async throws
    {
        try await fund()
        let holder = try database.holding("alice", "USDT")
        let item = trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob")
        async let settled = first.settle([item])
        try await database.untilWaitingForLocks(1)
        let process = try database.value(
            "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
        async let repeated = second.settle([item])
        try await database.untilWaitingForLocks(2)
        if isCommitted {
            try holder.commit()
            #expect(try await settled == [.settled])
            #expect(try await repeated == [.duplicate])
        } else {
            try database.execute("select pg_terminate_backend(\(process))")
            do {
                Issue.record("\(try await settled)")
            } catch let error as WalletError {
                guard case .unavailable = error else { throw error }
            }
            try holder.commit()
            #expect(try await repeated == [.settled])
        }
        #expect(try database.available("alice", "USDT") == "40.000000")
        #expect(try database.violations() == [])
    }

    @Test func `ids are claimed in order, whatever is decided of them`() async throws {
        try await fund()
        let holder = try database.connect()
        func claim(_ id: String) -> String {
            "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) "
                + "values ('BTC/USDT', '\(id)', 1, 1, 'x', 'y')"
        }
        try holder.script("begin; \(claim("t1"))")
        async let outcomes = first.settle([
            trade("t2", price: "100", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob"),
        ])
        try await database.untilWaitingForLocks(1)
        // Would wait in a ring if t2 had been claimed before t1.
        try holder.script(claim("t2"))
        try holder.script("rollback")
        let decided = try await outcomes
        #expect(decided[0] == .settled)
        #expect(decided[1].failureClass == .insufficientFunds)
        #expect(try database.violations() == [])
    }

    // Traps 16 and 17: what is held for an order is counted order by order, and nothing of it is lost.
    @Test func `a hold that grows while it is spent keeps both`() async throws {
        try await fund()
        _ = try await first.settle([operation(.reserve, "r1", "alice", "10", "USDT", order: "o1")])
        let holder = try database.connect()
        try holder.script("begin; select from holds for update")
        async let grown = second.settle([
            operation(.reserve, "r2", "alice", "5", "USDT", order: "o1"),
            trade("t1", price: "5", quantity: "1", buyer: "alice", seller: "bob", orders: ("o1", nil)),
        ])
        try await database.untilWaitingForLocks(1)
        async let spent = first.settle([
            trade("t2", price: "3", quantity: "1", buyer: "alice", seller: "bob", orders: ("o1", nil))
        ])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await grown == [.settled, .settled])
        #expect(try await spent == [.settled])
        #expect(try database.value("select reserved || ' ' || remaining from holds") == "15000000 7000000")
        #expect(try database.violations() == [])
    }

    @Test func `an account that was frozen or closed meanwhile is treated so, and opened again as well`() async throws {
        try await fund()
        let withdrawal = operation(.withdrawal, "w1", "alice", "1", "USDT")
        try database.execute("update accounts set status = 'frozen' where id = 'alice'")
        #expect(try await first.settle([withdrawal])[0].failureClass == .invalid)
        let sold = trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await first.settle([sold]) == [.settled])
        try database.execute("update accounts set status = 'closed' where id = 'bob'")
        let refused = trade("t2", price: "1", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await first.settle([refused])[0].failureClass == .unknownAccount)
        try database.execute("update accounts set status = 'active'")
        let late = trade("t3", price: "1", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await first.settle([withdrawal, late]) == [.settled, .settled])
        #expect(try database.violations() == [])
    }
}
