import TradeModel

/// An order on its way through the book, before what is left of it waits there or ends.
struct IncomingOrder {
    var number: UInt64
    var client: ClientKey
    var account: Int32
    var side: OrderSide
    var timeInForce: TimeInForce
    /// The worst price at which it trades; of a market order, the worst that there is.
    var limit: Int64
    var lots: Int64
    var remaining: Int64
    var rates: TradingFees
    /// What is held for it, and where its owner's balances are: of that asset, and of the one that it gets.
    var hold: Int128
    var heldBalance: Int32
    var receiveBalance = Int32(-1)
    /// Where it would wait, as far as that is known: no order of its own side is touched while it is matched.
    var level = Int32(-1)
    /// Whether it traded since it arrived, which is not the same for one that was amended.
    var hasTraded = false
    /// Whether it trades for as long as its hold lasts: a market buy.
    var hasBudget = false
    /// Whether its quantity is only what its budget buys.
    var isBoundByBudgetAlone = false

    /// The fee that its hold must have room for: it may take first and make later.
    var holdRate: Int32 { max(rates.maker, rates.taker) }

    /// Why it stopped matching.
    enum Stop {
        /// Filled, or there is nothing more to trade with at its price.
        case done
        case selfTrade
        case budgetSpent
        case matchLimit
    }
}
