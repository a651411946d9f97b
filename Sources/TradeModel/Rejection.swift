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
}

/// A decision against a trade or an operation, with the reason in words.
public struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
    public var failureClass: FailureClass
    public var message: String

    public init(_ failureClass: FailureClass, _ message: String) {
        self.failureClass = failureClass
        self.message = message
    }

    public var description: String { message }
}
