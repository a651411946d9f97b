import Repository
import ServiceKit
import TradeModel
import WalletClient

/// Trades whose outcome is known beforehand: every side can pay, whatever the order, so each must settle, and the
/// balances after all of them are plain sums.
public struct TradeLoad: Sendable {
    /// Of each asset; far more than all trades together move.
    private static let endowment: Int64 = 10_000_000
    /// Price steps are of one unit of quote and quantity steps of a hundredth of base, so that all sums are exact.
    private static let hundredthsPerUnit: Int64 = 100

    public let trades: [Trade]
    public let accounts: [Identifier]
    private let market: MarketSymbol
    /// In hundredths of a unit, by account.
    private var base: [Identifier: Int64] = [:]
    private var quote: [Identifier: Int64] = [:]

    /// - Parameters:
    ///   - hotShare: in so many of a hundred trades, one side is the first account, as with a market maker.
    ///   - stream: whose numbers from 1 on the trades carry.
    public init(
        _ count: Int, accounts accountCount: Int = 50, hotShare: Int = 50, seed: UInt64, prefix: String = "t",
        market symbol: String = "BTC/USDT", stream: String? = nil
    ) {
        var generator = SeededGenerator(seed: seed)
        market = MarketSymbol(symbol)!
        accounts = (1...accountCount).map { Identifier("acc-\($0)")! }
        for account in accounts {
            base[account] = Self.endowment * Self.hundredthsPerUnit
            quote[account] = Self.endowment * Self.hundredthsPerUnit
        }
        var trades: [Trade] = []
        trades.reserveCapacity(count)
        for number in 1...count {
            var buyer = accounts.randomElement(using: &generator)!
            var seller = accounts.randomElement(using: &generator)!
            if Int.random(in: 0..<100, using: &generator) < hotShare {
                if Bool.random(using: &generator) { buyer = accounts[0] } else { seller = accounts[0] }
            }
            let price = Int64.random(in: 90...110, using: &generator)
            let quantity = Int64.random(in: 1...20, using: &generator)
            base[buyer]! += quantity
            base[seller]! -= quantity
            quote[buyer]! -= price * quantity
            quote[seller]! += price * quantity
            trades.append(
                Trade(
                    id: Identifier("\(prefix)-\(number)")!, market: market,
                    price: DecimalNumber(Int128(price), scale: 0)!,
                    quantity: DecimalNumber(Int128(quantity), scale: 2)!, buyer: buyer, seller: seller,
                    stream: stream.flatMap { Identifier($0) }, sequence: stream.map { _ in Int64(number) }))
        }
        self.trades = trades
    }

    /// Adds the market and the money.
    public func prepare(_ database: TestDatabase) async throws {
        try database.addMarket(market.text)
        try await deposit(in: database)
    }

    /// What brings the money.
    public var deposits: [Operation] {
        accounts.flatMap { account in
            [market.base, market.quote].map { asset in
                Operation(
                    key: Identifier("endow-\(account)-\(asset)")!, kind: .deposit, account: account, asset: asset,
                    amount: DecimalNumber(Int128(Self.endowment), scale: 0)!)
            }
        }
    }

    /// Brings the money.
    public func deposit(in database: TestDatabase) async throws {
        let items = deposits.map { SettlementItem(.operation($0), origin: .message("test")) }
        let outcomes = try await database.wallet().settle(items)
        guard outcomes.allSatisfy({ $0 == .settled }) else { throw WaitedInVain(description: "deposits: \(outcomes)") }
    }

    /// Stores some of the trades as PENDING, in the order given.
    public func store(_ trades: some Sequence<Trade>, in database: TestDatabase) throws {
        _ = try database.connect().pipeline([TradeStore.accept(Array(trades))])
    }

    /// What is not as it must be after every trade has settled once; empty when all is well.
    public func wrongBalances(in database: TestDatabase) throws -> [String] {
        var wrong: [String] = []
        let rows = try database.connect().query(
            Statement(
                "load_balances",
                "select account, asset, (available * 100)::bigint, (frozen * 100)::bigint from account_balances where kind = 'customer'"
            ))
        var seen = 0
        for row in rows.indices {
            guard let account = Identifier(rows.string(row, 0)) else { continue }
            let expected = rows.string(row, 1) == market.base.text ? base[account] : quote[account]
            seen += 1
            if rows.int64(row, 2) != expected || rows.int64(row, 3) != 0 {
                wrong.append(
                    "\(account) has \(rows.int64(row, 2)) \(rows.string(row, 1)), expected \(expected ?? 0)")
            }
        }
        if seen != accounts.count * 2 { wrong.append("\(seen) balances of \(accounts.count * 2)") }
        return wrong
    }
}

extension TestDatabase {
    public func count(_ sql: String) throws -> Int {
        Int(try value("select count(*) from \(sql)")) ?? -1
    }

    /// How many trades stand at a status.
    public func trades(_ status: TradeStatus) throws -> Int {
        try count("trades where status = '\(status.rawValue)'")
    }

    /// Deadlocks that PostgreSQL has seen in this database. Complete once those who had them have left.
    public func deadlocks() throws -> Int {
        Int(try value("select deadlocks from pg_stat_database where datname = current_database()")) ?? -1
    }
}
