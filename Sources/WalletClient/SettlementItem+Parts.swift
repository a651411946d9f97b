import TradeModel

extension SettlementItem {
    var trade: Trade? { if case .trade(let trade) = subject { trade } else { nil } }
    var operation: Operation? { if case .operation(let operation) = subject { operation } else { nil } }
    /// Where it stands in the feed that it came by.
    var place: StreamPlace? { if case .feed(let place) = origin { place } else { nil } }
    var receivedSequence: Int64? { if case .pending(let sequence, _) = origin { sequence } else { nil } }

    /// Whose money the item moves.
    var accounts: [Identifier] {
        switch subject {
        case .trade(let trade): [trade.buyer, trade.seller]
        case .operation(let operation): [operation.account]
        case .refused: []
        }
    }

    /// Whether the item names orders, whose holds it may touch.
    var hasOrders: Bool {
        switch subject {
        case .trade(let trade): trade.buyOrder != nil || trade.sellOrder != nil
        case .operation(let operation): operation.order != nil
        case .refused: false
        }
    }

    /// Adds the orders whose holds the item may touch.
    func addOrders(to orders: inout Set<OrderKey>) {
        switch subject {
        case .trade(let trade):
            if let order = trade.buyOrder { orders.insert(OrderKey(stream: trade.stream, order: order)) }
            if let order = trade.sellOrder { orders.insert(OrderKey(stream: trade.stream, order: order)) }
        case .operation(let operation):
            if let order = operation.order { orders.insert(order) }
        case .refused:
            break
        }
    }
}
