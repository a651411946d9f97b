/// Why a trade is in the dead-letter table.
public enum FailureClass: String, Sendable, CaseIterable {
    case invalid
    case unknownMarket = "unknown_market"
    case unknownAccount = "unknown_account"
    case insufficientFunds = "insufficient_funds"
    case conflict
    case undecodable
    case queueFull = "queue_full"
    case retriesExhausted = "retries_exhausted"

    /// Those that may heal without an operator.
    public static let healing: [FailureClass] = [.queueFull, .retriesExhausted, .insufficientFunds]
}

/// A decision against a trade or an operation, with the reason in words.
public struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
    public var failureClass: FailureClass
    public var message: String
    /// Who lacked what, where money was lacking.
    public var shortfall: Shortfall?

    public init(_ failureClass: FailureClass, _ message: String) {
        self.failureClass = failureClass
        self.message = message
    }

    /// - Parameter payer: who lacks the money, as the message calls it: `buyer alice`.
    public init(payer: String, _ shortfall: Shortfall) {
        failureClass = .insufficientFunds
        message = "\(payer) \(shortfall)"
        self.shortfall = shortfall
    }

    public var description: String { message }
}
