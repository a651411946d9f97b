import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Trades taken back, beside everything else that moves money.
@Suite struct ReversalTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
    }

    private func terms(_ id: Identifier) throws -> ReversalTerms {
        let connection = try database.connect()
        let key = TradeKey(market: MarketSymbol("BTC/USDT")!, id: id)
        let catalog = try CatalogStore.read(connection)
        let trade = TradeStore.decode(try connection.query(TradeStore.read([key])))[0]
        return try ReversalStore.terms(
            of: key, settledIn: trade.batch!, catalog.markets[key.market]!, catalog, connection)
    }

    @Test(arguments: CutProxy.Cut.allCases)
    func `a reversal whose answer was lost has effect once`(cut: CutProxy.Cut) async throws {
        // Given
        let proxy = try CutProxy(to: database)
        defer { proxy.stop() }
        var configuration = database.walletConfiguration()
        configuration.connectionString = proxy.connectionString(database)
        let wallet = Wallet(configuration)
        _ = try await wallet.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"),
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
        ])
        let terms = try terms(Identifier("t1")!)
        // When
        proxy.cutNext(cut)
        let lost = try await failure { try await wallet.reverse(terms, actor: "eve", reason: "a slip") }?.lostBatch
        #expect(lost != nil)
        #expect(try database.count("reversals") == (cut == .afterCommit ? 1 : 0))
        let outcome = try await wallet.reverse(terms, actor: "eve", reason: "a slip", resolving: lost)
        // Then: it is ours, whichever of the two did it.
        guard case .reversed(let reversal) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect((reversal.batch == lost) == (cut == .afterCommit))
        #expect(try database.count("operator_actions") == 1)
        #expect(try database.available("alice", "USDT") == "100.000000")
        guard case .wasReversed = try await wallet.reverse(terms, actor: "bob", reason: "too") else {
            Issue.record("it was reversed twice")
            return
        }
        #expect(try database.violations() == [])
    }

    @Test func `what wallets remember of balances that a reversal moved does no harm`() async throws {
        // Given: a wallet that remembers alice with 40 USDT and 1 BTC.
        let (wallet, other) = (database.wallet(), database.wallet())
        _ = try await wallet.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"),
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
        ])
        // When
        _ = try await other.reverse(terms(Identifier("t1")!), actor: "eve", reason: "a slip")
        let outcomes = try await wallet.settle([
            operation(.withdrawal, "w1", "alice", "1", "BTC"), operation(.withdrawal, "w2", "alice", "100", "USDT"),
        ])
        // Then
        #expect(outcomes[0].failureClass == .insufficientFunds && outcomes[1] == .settled, "\(outcomes)")
        #expect(try database.violations() == [])
    }

    @Test func `trades are taken back while others of the same accounts settle`() async throws {
        // Given
        let load = TradeLoad(600, accounts: 6, seed: 11)
        try await load.deposit(in: database)
        let items = load.trades.map { SettlementItem(.trade($0), origin: .message("test")) }
        let settler = database.wallet()
        _ = try await settler.settle(Array(items[..<100]))
        let taken = load.trades[..<100].filter { $0.buyer != $0.seller }.map(\.id)
        // When: two take the same trades back, from either end, while the rest settles.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for start in stride(from: 100, to: 600, by: 10) {
                    try await settle(Array(items[start..<start + 10]), with: settler)
                }
            }
            for order in [taken, taken.reversed()] {
                group.addTask {
                    let wallet = database.wallet()
                    for id in order { try await reverse(id, with: wallet) }
                }
            }
            try await group.waitForAll()
        }
        // Then
        #expect(try database.count("reversals") == taken.count)
        #expect(try database.count("trades where status = 'SETTLED'") == 600)
        #expect(
            try database.value(
                """
                select count(*) from (select cause_id from ledger_entries where kind = 'reversal'
                                       group by cause_id having count(*) <> 4) wrong
                """) == "0")
        #expect(try database.deadlocks() == 0)
        #expect(try database.violations() == [])
    }

    private func settle(_ items: [SettlementItem], with wallet: Wallet) async throws {
        while true {
            do throws(WalletError) {
                let outcomes = try await wallet.settle(items)
                #expect(outcomes.allSatisfy { $0 == .settled })
                return
            } catch {
                guard case .overtaken = error else { throw error }
            }
        }
    }

    private func reverse(_ id: Identifier, with wallet: Wallet) async throws {
        let terms = try terms(id)
        while true {
            do throws(WalletError) {
                switch try await wallet.reverse(terms, actor: "eve", reason: "a slip") {
                case .reversed, .wasReversed: return
                case .lacksMoney, .closed: Issue.record("everybody has enough")
                }
                return
            } catch {
                guard case .overtaken = error else { throw error }
            }
        }
    }
}
