import TradeModel

extension Trade {
    /// What the trade says, as bytes: equal for two messages exactly when every field that was written is equal.
    ///
    /// Ids hold no control characters, so the separators are unambiguous.
    var contentBytes: [UInt8] {
        let fields: [String?] = [
            "trade", market.text, id.text, price.description, quantity.description, buyer.text, seller.text,
            buyerFee.description, sellerFee.description, buyOrder?.text, sellOrder?.text, taker?.rawValue,
            executedAt?.description,
        ]
        return Array(fields.map { $0 ?? "\u{1e}" }.joined(separator: "\u{1f}").utf8)
    }

    /// Why this trade is not taken: one of the same id is there, and says something else.
    public func conflict(with other: Trade?) -> Rejection {
        guard let other else { return Rejection(.conflict, "trade \(key) exists with other content") }
        return Rejection(.conflict, "trade \(key) exists with other content: \(differences(from: other))")
    }

    /// The fields in which this trade differs from one of the same id, for people.
    public func differences(from other: Trade) -> String {
        var found: [String] = []
        func compare(_ name: String, _ here: String?, _ there: String?, optional: Bool = false) {
            if optional, here == nil || there == nil { return }
            if here?.utf8.elementsEqual((there ?? "").utf8) != true {
                found.append("\(name) \(here ?? "-") instead of \(there ?? "-")")
            }
        }
        compare("price", price.description, other.price.description)
        compare("quantity", quantity.description, other.quantity.description)
        compare("buyer_id", buyer.text, other.buyer.text)
        compare("seller_id", seller.text, other.seller.text)
        compare("buyer_fee", buyerFee.description, other.buyerFee.description)
        compare("seller_fee", sellerFee.description, other.sellerFee.description)
        compare("buy_order_id", buyOrder?.text, other.buyOrder?.text, optional: true)
        compare("sell_order_id", sellOrder?.text, other.sellOrder?.text, optional: true)
        compare("taker", taker?.rawValue, other.taker?.rawValue, optional: true)
        compare("executed_at", executedAt?.description, other.executedAt?.description, optional: true)
        return found.joined(separator: ", ")
    }
}
