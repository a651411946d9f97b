import TradeModel

@testable import SettlementWorkers

/// The account a customer has in these tests: `c7`.
func account(_ number: Int) -> Identifier { Identifier("c\(number)")! }

func trade(_ number: Int, _ buyer: Int, _ seller: Int, bytes: Int = 0) -> SettlementItem {
    let trade = Trade(
        id: Identifier(UInt64(number)), market: MarketSymbol("BTC/USDT")!, price: DecimalNumber(100, scale: 0)!,
        quantity: DecimalNumber(1, scale: 0)!, buyer: account(buyer), seller: account(seller))
    return SettlementItem(.trade(trade), origin: .message("test"), payload: Array(repeating: 0, count: bytes))
}

/// Trades that share no account.
func strangers(_ numbers: Range<Int>) -> [SettlementItem] {
    numbers.map { trade($0, 2 * $0, 2 * $0 + 1) }
}

func refused(_ number: Int) -> SettlementItem {
    let message = RefusedMessage(Rejection(.undecodable, "no trade"), tradeID: String(number))
    return SettlementItem(.refused(message), origin: .message("test"))
}

func deposit(_ number: Int, _ customer: Int) -> SettlementItem {
    let operation = Operation(
        key: Identifier(UInt64(number)), kind: .deposit, account: account(customer), asset: AssetSymbol("USDT")!,
        amount: DecimalNumber(1, scale: 0)!)
    return SettlementItem(.operation(operation), origin: .message("test"))
}

extension SettlementItem {
    /// The number that it was made with.
    var number: Int {
        switch subject {
        case .trade(let trade): Int(trade.id.text)!
        case .operation(let operation): Int(operation.key.text)!
        case .refused(let message): Int(message.tradeID!)!
        }
    }
}

extension PoolState.Batch {
    var numbers: [Int] { items.map(\.number) }
}

extension PoolState.Action {
    /// Lane and trades of what starts.
    var started: [Int: [Int]] { Dictionary(uniqueKeysWithValues: starts.map { ($0.lane, $0.numbers) }) }
}
