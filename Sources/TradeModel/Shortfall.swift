/// What an account lacked of what it had to give.
public struct Shortfall: Hashable, Sendable, CustomStringConvertible {
    public var account: Identifier
    public var asset: Asset
    public var needed: Amount
    public var available: Amount
    /// What was held for the order and would have been given first.
    public var held: Amount
    /// With a credit line this is less than what the others come to.
    public var missing: Amount

    public init(
        account: Identifier, asset: Asset, needed: Amount, available: Amount, held: Amount = .zero, missing: Amount
    ) {
        self.account = account
        self.asset = asset
        self.needed = needed
        self.available = available
        self.held = held
        self.missing = missing
    }

    /// `has 60.02 EUR available, needs 75.00 EUR: 14.98 EUR missing`.
    public var description: String {
        let heldText = held > .zero ? " and \(asset.text(held)) held for its order" : ""
        return "has \(asset.text(available)) available\(heldText), needs \(asset.text(needed)): "
            + "\(asset.text(missing)) missing"
    }
}
