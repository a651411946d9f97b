/// Why the engine rejected a command. The numbers are those of the wire and never change.
public enum RejectReason: UInt8, Error, Sendable, CaseIterable {
    case unknownAsset = 1
    case unknownMarket = 2
    case unknownAccount = 3
    /// No such order is open, or it is another account's.
    case unknownOrder = 4
    case alreadyListed = 5
    case invalidMarketRules = 6
    case invalidAccountName = 7
    case marketHalted = 8
    case marketNotHalted = 9
    case insufficientFunds = 10
    case duplicateClientOrderID = 11
    /// The key was used before, for the same.
    case duplicateOperation = 12
    /// The key was used before, for something else.
    case operationConflict = 13
    /// Not positive, or finer than the asset's decimals.
    case invalidAmount = 14
    /// What is given contradicts itself: a market order with a price, a limit order without one, and the like.
    case invalidOrder = 15
    case priceOffTick = 16
    /// Above the market's highest price, or so low that one lot would cost nothing.
    case priceOutOfRange = 17
    case quantityOffLot = 18
    case quantityTooSmall = 19
    case quantityTooLarge = 20
    case amountOverflow = 21
    case postOnlyWouldTake = 22
    case notFillable = 23
    case nothingToAmend = 24
    /// The new quantity is not above what was filled.
    case quantityAlreadyFilled = 25
    case limitReached = 26
    /// The house owes so much in rebates that no more are given.
    case houseInDebt = 27

    public var name: String {
        switch self {
        case .unknownAsset: "unknown_asset"
        case .unknownMarket: "unknown_market"
        case .unknownAccount: "unknown_account"
        case .unknownOrder: "unknown_order"
        case .alreadyListed: "already_listed"
        case .invalidMarketRules: "invalid_market_rules"
        case .invalidAccountName: "invalid_account_name"
        case .marketHalted: "market_halted"
        case .marketNotHalted: "market_not_halted"
        case .insufficientFunds: "insufficient_funds"
        case .duplicateClientOrderID: "duplicate_client_order_id"
        case .duplicateOperation: "duplicate_operation"
        case .operationConflict: "operation_conflict"
        case .invalidAmount: "invalid_amount"
        case .invalidOrder: "invalid_order"
        case .priceOffTick: "price_off_tick"
        case .priceOutOfRange: "price_out_of_range"
        case .quantityOffLot: "quantity_off_lot"
        case .quantityTooSmall: "quantity_too_small"
        case .quantityTooLarge: "quantity_too_large"
        case .amountOverflow: "amount_overflow"
        case .postOnlyWouldTake: "post_only_would_take"
        case .notFillable: "not_fillable"
        case .nothingToAmend: "nothing_to_amend"
        case .quantityAlreadyFilled: "quantity_already_filled"
        case .limitReached: "limit_reached"
        case .houseInDebt: "house_in_debt"
        }
    }
}
