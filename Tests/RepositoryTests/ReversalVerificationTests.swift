import Repository
import SettleTesting
import Testing
import TradeModel
import WalletClient

/// Damage to reversals is found, and the trade is named.
@Suite struct ReversalVerificationTests {
    private static let damages: [(name: String, sql: String, finds: String)] = [
        ("a reversal without its row", "delete from reversals", "3: reversal of BTC/USDT:t1:"),
        (
            "a row without its entries", "delete from ledger_entries where kind = 'reversal'",
            "3: reversal of BTC/USDT:t1:"
        ),
        (
            "an entry taken away",
            "delete from ledger_entries where kind = 'reversal' and place = 0", "3: reversal of BTC/USDT:t1:"
        ),
        (
            "an edited entry",
            "update ledger_entries set available_delta = available_delta + 1 where kind = 'reversal' and place = 1",
            "3: reversal of BTC/USDT:t1:"
        ),
        (
            "an entry that takes from a hold",
            """
            update ledger_entries set available_delta = 0, frozen_delta = available_delta
             where kind = 'reversal' and place = 1
            """, "3: reversal of BTC/USDT:t1:"
        ),
        (
            "entries that stand twice",
            "insert into ledger_entries select * from ledger_entries where kind = 'reversal'",
            "3: reversal of BTC/USDT:t1:"
        ),
        (
            "a reversal of another trade",
            "update reversals set trade_id = 't2'", "3: reversal of BTC/USDT:t2:"
        ),
        ("a reversal in another batch", "update reversals set batch_no = 1", "3: reversal of BTC/USDT:t1: batch 1"),
        (
            "a second one, of a trade that is not settled",
            "insert into reversals select market, 't3', 99, actor, reason from reversals",
            "3: reversal of BTC/USDT:t3: its trade is FAILED"
        ),
        (
            "entries of a trade that call themselves a reversal",
            "update ledger_entries set kind = 'reversal' where cause_id = 't2'", "3: reversal of BTC/USDT:t2:"
        ),
    ]

    @Test(arguments: damages.indices)
    func `damage to a reversal is found and named`(index: Int) async throws {
        // Given
        let damage = Self.damages[index]
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            trade("t1", quantity: "0.5"), trade("t2", quantity: "0.5"), trade("t3", quantity: "50"),
        ])
        let connection = try database.connect()
        let key = TradeKey(market: MarketSymbol("BTC/USDT")!, id: Identifier("t1")!)
        let catalog = try CatalogStore.read(connection)
        let settled = TradeStore.decode(try connection.query(TradeStore.read([key])))[0]
        let terms = try ReversalStore.terms(
            of: key, settledIn: settled.batch!, catalog.markets[key.market]!, catalog, connection)
        guard case .reversed = try await wallet.reverse(terms, actor: "eve", reason: "a slip") else {
            Issue.record("it was not reversed")
            return
        }
        #expect(try database.violations() == [])
        #expect(throws: (any Error).self) { try database.execute("delete from reversals") }
        // When: as somebody with all rights would.
        try database.damage(damage.sql)
        // Then
        let found = try database.violations()
        #expect(found.contains { $0.hasPrefix(damage.finds) }, "\(damage.name): missing \(damage.finds) in \(found)")
    }
}
