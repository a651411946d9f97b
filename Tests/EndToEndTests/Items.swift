import SettleTesting
import TradeModel
import WalletClient

// Trades and deposits in few words.

func trade(_ id: String, price: String, quantity: String, buyer: String, seller: String) -> Trade {
    Trade(
        id: Identifier(id)!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber(price)!,
        quantity: DecimalNumber(quantity)!, buyer: Identifier(buyer)!, seller: Identifier(seller)!)
}

func operation(_ key: String, _ account: String, _ amount: String, _ asset: String) -> Operation {
    Operation(
        key: Identifier(key)!, kind: .deposit, account: Identifier(account)!, asset: AssetSymbol(asset)!,
        amount: DecimalNumber(amount)!)
}

func item(_ operation: Operation) -> SettlementItem {
    SettlementItem(.operation(operation), origin: .message("test"))
}

/// Money that comes in, each under a key of its own.
func deposit(_ deposits: [(account: String, amount: String, asset: String)], in database: TestDatabase) async throws {
    let outcomes = try await database.wallet().settle(
        deposits.map { item(operation("in-\($0.account)-\($0.asset)", $0.account, $0.amount, $0.asset)) })
    guard outcomes.allSatisfy({ $0 == .settled }) else { throw WaitedInVain(description: "deposits: \(outcomes)") }
}
