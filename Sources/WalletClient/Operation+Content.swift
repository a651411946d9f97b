import TradeModel

extension Operation {
    /// What the operation says, as bytes: equal for two exactly when they are the same change under the same key.
    var contentBytes: [UInt8] {
        let fields = [
            kind.rawValue, key.text, account.text, asset.text, amount.description, order?.stream?.text ?? "\u{1e}",
            order?.order.text ?? "\u{1e}",
        ]
        return Array(fields.joined(separator: "\u{1f}").utf8)
    }
}
