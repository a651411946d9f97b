import Repository
import TradeModel

/// A trade in the smallest units of its market's assets, checked against the market's rules.
public struct TradeTerms {
    let market: Market
    let quantity: Amount
    let quote: Amount
    let buyerFee: Amount
    let sellerFee: Amount

    /// The terms in the trade's own market; whoever stores trades asks whether there are any before.
    public init(_ trade: Trade, in catalog: Catalog) throws(Rejection) {
        guard let market = catalog.markets[trade.market] else {
            throw Rejection(.unknownMarket, "there is no market \(trade.market)")
        }
        try self.init(trade, market: market)
    }

    public init(_ trade: Trade, market: Market) throws(Rejection) {
        self.market = market
        guard trade.price.isPositive else { throw Rejection(.invalid, "price \(trade.price) is not positive") }
        guard trade.price.scale <= market.priceDecimals else {
            throw Rejection(
                .invalid,
                "price \(trade.price) has more than the \(market.priceDecimals) decimals of a price in \(market.symbol)"
            )
        }
        quantity = try Self.amount(trade.quantity, market.base, "quantity")
        guard trade.quantity.isPositive else { throw Rejection(.invalid, "quantity \(trade.quantity) is not positive") }
        guard
            let quote = DecimalNumber.productRoundedDown(
                trade.price, trade.quantity, decimals: market.quote.decimals)
        else {
            throw Rejection(.invalid, "price × quantity has more than 38 digits")
        }
        guard quote > .zero else {
            throw Rejection(
                .invalid, "price \(trade.price) × quantity \(trade.quantity) rounds to zero \(market.quote.symbol)")
        }
        self.quote = quote

        switch market.feeRule {
        case .received:
            buyerFee = try Self.amount(trade.buyerFee, market.base, "buyer_fee")
            guard buyerFee <= quantity else {
                throw Rejection(
                    .invalid,
                    "buyer_fee \(market.base.text(buyerFee)) is more than the buyer receives, "
                        + "\(market.base.text(quantity))")
            }
        case .quote:
            buyerFee = try Self.amount(trade.buyerFee, market.quote, "buyer_fee")
        }
        sellerFee = try Self.amount(trade.sellerFee, market.quote, "seller_fee")
        guard sellerFee <= quote else {
            throw Rejection(
                .invalid,
                "seller_fee \(market.quote.text(sellerFee)) is more than the seller receives, "
                    + "\(market.quote.text(quote))"
            )
        }
    }

    /// What the buyer has to have, in quote.
    public func buyerGives() throws(AmountOverflow) -> Amount {
        market.feeRule == .quote && !buyerFee.isNegative ? try quote.adding(buyerFee) : quote
    }

    /// What the seller has to have, in base.
    public var sellerGives: Amount { quantity }

    private static func amount(_ number: DecimalNumber, _ asset: Asset, _ field: String) throws(Rejection) -> Amount {
        guard let amount = number.amount(decimals: asset.decimals) else {
            throw Rejection(
                .invalid, "\(field) \(number) does not fit \(asset.symbol), which has \(asset.decimals) decimals")
        }
        return amount
    }
}
