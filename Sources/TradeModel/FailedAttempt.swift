/// A try at settling one trade by itself that failed.
public struct FailedAttempt: Hashable, Sendable {
    public var at: Timestamp
    /// What PostgreSQL called it; nil when the connection itself failed.
    public var sqlState: String?
    public var message: String

    public init(at: Timestamp, sqlState: String? = nil, message: String) {
        self.at = at
        self.sqlState = sqlState
        self.message = message
    }
}
