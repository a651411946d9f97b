/// What an account lacked of what it had to give.
public struct Shortfall: Hashable, Sendable, CustomStringConvertible {
    public var account: Identifier
    public var asset: Asset
    public var needed: Amount
    public var available: Amount
    /// What was held for the order and would have been given first.
    public var held: Amount
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

    /// How far `available` might have fallen: what is needed and neither there nor missing.
    public var creditLine: Amount {
        (try? needed.subtracting(held).subtracting(available).subtracting(missing)) ?? .zero
    }

    /// `has 60.02 EUR available, needs 75.00 EUR: 14.98 EUR missing`.
    public var description: String {
        let lineText = creditLine > .zero ? " and a credit line of \(asset.text(creditLine))" : ""
        let heldText = held > .zero ? " and \(asset.text(held)) held for its order" : ""
        return "has \(asset.text(available)) available\(lineText)\(heldText), needs \(asset.text(needed)): "
            + "\(asset.text(missing)) missing"
    }
}
