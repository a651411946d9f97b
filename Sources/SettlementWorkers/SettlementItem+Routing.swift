import TradeModel

extension SettlementItem {
    /// The accounts whose order this item has a place in; a self-trade has one.
    var accounts: (first: Identifier?, second: Identifier?) {
        switch subject {
        case .trade(let trade): (trade.buyer, trade.seller == trade.buyer ? nil : trade.seller)
        case .operation(let operation): (operation.account, nil)
        case .refused: (nil, nil)
        }
    }

    /// What to call it in a log.
    public var name: String {
        switch subject {
        case .trade(let trade): trade.key.description
        case .operation(let operation): "\(operation.kind.rawValue) \(operation.key)"
        case .refused(let message): "\(message.market ?? "?"):\(message.tradeID ?? "?")"
        }
    }
}
