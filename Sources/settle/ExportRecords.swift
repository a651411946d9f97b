import CommandKit
import Repository
import TradeModel

extension ExportedEntry: ExportRecord {
    static let columns = [
        "committed_at", "batch", "place", "account", "asset", "version", "entry", "market", "cause", "available_change",
        "frozen_change", "available_after", "frozen_after",
    ]

    var values: [JSONValue] {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return [
            .time(at), .count(batch), .count(place), .string(account), .string(asset.symbol.text),
            .count(version), .string(kind), .string(market?.text), .string(cause), text(availableChange),
            text(frozenChange), text(available), text(frozen),
        ]
    }
}

extension ExportedTrade: ExportRecord {
    static let columns = [
        "committed_at", "batch", "market", "trade_id", "price", "quantity", "quote", "buyer_id", "seller_id",
        "buyer_fee", "seller_fee", "buy_order_id", "sell_order_id", "taker", "executed_at", "received_at", "stream",
        "seq",
    ]

    var values: [JSONValue] {
        let content = trade.trade
        return [
            .time(at), .count(batch), .string(trade.key.market.text), .id(trade.key.id),
            .string(content?.price.description), .string(content?.quantity.description),
            .string(quote.text(decimals: quoteDecimals)), .id(content?.buyer), .id(content?.seller),
            .string(content?.buyerFee.description), .string(content?.sellerFee.description), .id(content?.buyOrder),
            .id(content?.sellOrder), .string(content?.taker?.rawValue), .time(content?.executedAt),
            .time(trade.receivedAt), .id(content?.stream), .count(content?.sequence),
        ]
    }
}
