/// What went wrong between us and PostgreSQL.
public struct DatabaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// nil when the connection failed and no server answered.
    public var sqlState: String?
    public var message: String
    public var detail: String?
    /// Whether the server ended the session with this error.
    public var isFatal: Bool

    public init(sqlState: String? = nil, message: String, detail: String? = nil, isFatal: Bool = false) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.isFatal = isFatal
    }

    public var description: String { message }

    /// Whether the connection is of no more use: lost, refused, or ended by the server.
    public var isConnectionLoss: Bool {
        guard let sqlState, !isFatal else { return true }
        // 08: connection exceptions. 57P0x: the server is going down, has crashed, or is starting; or the database is
        // gone. 25P03: it ended a session that was silent within a transaction.
        return sqlState.hasPrefix("08")
            || ["57P01", "57P02", "57P03", "57P04", "57P05", "25P03"].contains(sqlState)
    }

    /// Whether the server had no room or is not ready: 53300 too many connections, 53xxx resources, 25006 read-only.
    public var isServerUnready: Bool {
        guard let sqlState else { return false }
        return sqlState.hasPrefix("53") || sqlState == Self.readOnlyTransaction
    }

    /// Whether a statement that was prepared is gone, or one that was not is there: somebody else uses our session.
    public var isOfSharedSession: Bool { sqlState == "26000" || sqlState == "42P05" }

    public static let diskFull = "53100"
    public static let uniqueViolation = "23505"
    public static let deadlockDetected = "40P01"
    public static let lockNotAvailable = "55P03"
    public static let insufficientPrivilege = "42501"
    public static let readOnlyTransaction = "25006"
    public static let undefinedObject = "42704"
    public static let queryCanceled = "57014"
    public static let dataCorrupted = "XX001"
}
