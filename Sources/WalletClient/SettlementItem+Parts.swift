import TradeModel

extension SettlementItem {
    var trade: Trade? { if case .trade(let trade) = subject { trade } else { nil } }
    var operation: Operation? { if case .operation(let operation) = subject { operation } else { nil } }
    var receivedSequence: Int64? { if case .pending(let sequence, _) = origin { sequence } else { nil } }

    /// Whose money the item moves.
    var accounts: [Identifier] {
        switch subject {
        case .trade(let trade): [trade.buyer, trade.seller]
        case .operation(let operation): [operation.account]
        case .refused: []
        }
    }

    /// The orders whose holds the item may touch.
    var orders: [OrderKey] {
        switch subject {
        case .trade(let trade):
            [trade.buyOrder, trade.sellOrder].compactMap { $0.map { OrderKey(stream: trade.stream, order: $0) } }
        case .operation(let operation): operation.order.map { [$0] } ?? []
        case .refused: []
        }
    }
}
