import CommandKit
import TradeModel

/// What became of an order by a command: its state, what is left of it, and what it traded.
struct OrderReport {
    private let order: UInt64
    private var state: OrderState?
    private var remaining: String?
    private var trades: [(number: UInt64, price: String, quantity: String, fee: String)] = []
    private let sequence: UInt64

    /// - Parameter order: its number; nil for the one that the record has made, or that its events are about.
    init(record: EngineOutput, order number: Int?) {
        sequence = record.sequence
        let account = record.command.account
        var order = number.map { UInt64($0) } ?? record.sequence
        if number == nil {
            for event in record.events {
                switch event {
                case .state(let its, account, _, _, _), .amended(let its, _, _, _, _): order = its
                default: break
                }
            }
        }
        self.order = order
        guard let market = record.market else { return }
        for event in record.events {
            switch event {
            case .new(order): state = .new
            case .state(order, _, let state, _, let left):
                self.state = state
                remaining = left.text(decimals: market.baseDecimals)
            case .amended(order, _, _, let left, _): remaining = left.text(decimals: market.baseDecimals)
            case .trade(let trade):
                let side = trade.takerSide
                trades.append(
                    (
                        trade.number, trade.price.text(decimals: market.priceDecimals),
                        trade.quantity.text(decimals: market.baseDecimals),
                        trade.takerFee.text(decimals: market.decimals(of: market.feeAsset(of: side)))
                    ))
            default: break
            }
        }
    }

    func print(to output: Output) throws {
        try output.show([
            "order": .count(order), "sequence": .count(sequence), "state": .string(state?.name),
            "remaining": .string(remaining),
            "trades": .array(
                trades.map {
                    .object([
                        ("id", .string("\($0.number)")), ("price", .string($0.price)),
                        ("quantity", .string($0.quantity)), ("fee", .string($0.fee)),
                    ])
                }),
        ]) {
            let words = state?.name.replacing("_", with: " ") ?? "amended"
            try output.line("order \(order) is \(words)" + (remaining.map { ", \($0) left" } ?? ""))
            for trade in trades {
                try output.line("  trade \(trade.number): \(trade.quantity) at \(trade.price), fee \(trade.fee)")
            }
        }
    }
}
