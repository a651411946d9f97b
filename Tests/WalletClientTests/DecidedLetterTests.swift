import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What operators have decided of letters whose trades took no row: it stays decided when the same arrives again,
/// whatever the class, and whatever a wallet remembers.
@Suite struct DecidedLetterTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"), buying("t0"),
        ])
    }

    private func buying(_ id: String, market: String = "BTC/USDT", price: String = "1") -> SettlementItem {
        trade(id, market: market, price: price, quantity: "1", buyer: "alice", seller: "bob")
    }

    private func discard(_ letters: Int64...) throws {
        let rows = try database.connect().query(DeadLetterStore.discard(letters, actor: "eve", reason: "never"))
        #expect(rows.count == letters.count)
    }

    private func edit(_ number: Int64, to item: SettlementItem) throws {
        let connection = try database.connect()
        let letter = try #require(
            DeadLetterStore.decode(try connection.query(DeadLetterStore.find(number))).first)
        let answer = try connection.pipeline([
            DeadLetterStore.edit(
                letter, to: try #require(item.trade), payload: Array("{}".utf8), actor: "eve", reason: "typing error",
                change: "price")
        ])
        #expect(answer[0].count == 1)
    }

    private func parkWithoutRow(_ item: SettlementItem, _ failureClass: FailureClass) async throws {
        try database.execute(
            """
            create function refuse() returns trigger language plpgsql as $$
            begin
                raise exception 'not today';
            end $$;
            create trigger refuse before insert on trades for each row execute function refuse()
            """)
        let outcome = try await wallet.park(item, because: Rejection(failureClass, "given up"), after: [])
        #expect(outcome.failureClass == failureClass)
        try database.execute("drop trigger refuse on trades; drop function refuse()")
        #expect(try database.value("select bool_or(stored) from dead_letters") == "false")
    }

    private func expectNothingHappens(_ item: SettlementItem) async throws {
        let before = try database.count("ledger_entries")
        for wallet in [wallet, database.wallet()] { #expect(try await wallet.settle([item]) == [.duplicate]) }
        #expect(try database.count("ledger_entries") == before)
        #expect(try database.violations() == [])
    }

    @Test(arguments: [FailureClass.retriesExhausted, .queueFull], [false, true])
    func `what was given up without a row stays given up`(failureClass: FailureClass, isEdited: Bool) async throws {
        let item = buying("t1")
        try await parkWithoutRow(item, failureClass)
        if isEdited { try edit(1, to: buying("t1", price: "2")) } else { try discard(1) }
        try await expectNothingHappens(item)
    }

    @Test func `what found the queue full for want of a market stays discarded when the market is there`() async throws
    {
        let item = buying("t1", market: "ETH/USDT")
        let outcome = try await wallet.park(item, because: Rejection(.queueFull, "the queue is full"), after: [])
        #expect(outcome.failureClass == .queueFull)
        try discard(1)
        try database.addMarket("ETH/USDT")
        _ = try await wallet.settle([deposit("d9", "bob", "5", "ETH")])
        try await expectNothingHappens(item)
    }

    @Test(arguments: [false, true])
    func `what was invalid by its balances stays decided when they have changed`(isEdited: Bool) async throws {
        let most = String(repeating: "9", count: 32)
        #expect(try await database.wallet().settle([deposit("d8", "carol", most, "USDT")]) == [.settled])
        #expect(try await wallet.settle([deposit("d9", "carol", "5", "BTC")]) == [.settled])
        let item = trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "carol")
        #expect(try await wallet.settle([item])[0].failureClass == .invalid)
        if isEdited {
            try edit(1, to: trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "bob"))
        } else {
            try discard(1)
        }
        #expect(try await wallet.settle([operation(.withdrawal, "w1", "carol", "1000", "USDT")]) == [.settled])
        try await expectNothingHappens(item)
    }

    @Test func `a conflict stays discarded when what it conflicted with is taken away`() async throws {
        _ = try database.pending(buying("t1"))
        let other = buying("t1", price: "2")
        #expect(try await wallet.settle([other])[0].failureClass == .conflict)
        try discard(1)
        try database.execute("delete from trades where trade_id = 't1'")
        try await expectNothingHappens(other)
    }

    @Test func `in a market of which something was decided all else goes on, and is parked, as ever`() async throws {
        try await parkWithoutRow(buying("t1"), .retriesExhausted)
        try discard(1)
        let items = [
            buying("t1"), buying("t2"), buying("t3", price: "900"), buying("t4", price: "0"),
            buying("t2", price: "2"),
        ]
        let outcomes = try await wallet.settle(items)
        #expect(outcomes[0] == .duplicate)
        #expect(outcomes[1] == .settled)
        #expect(outcomes[2...].map(\.failureClass) == [.insufficientFunds, .invalid, .conflict])
        #expect(
            try database.value("select string_agg(class || ' ' || status, ', ' order by letter_no) from dead_letters")
                == "retries_exhausted discarded, insufficient_funds open, invalid open, conflict open")
        #expect(try database.violations() == [])
    }
}
