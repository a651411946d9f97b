import Repository

extension WalletError {
    /// The one place that says what an SQLSTATE asks us to do.
    init(_ error: DatabaseError) {
        let fault = DatabaseFault(error)
        if error.isConnectionLoss || error.isServerUnready {
            self = .unavailable(fault)
            return
        }
        switch error.sqlState ?? "" {
        case DatabaseError.serializationFailure, DatabaseError.deadlockDetected, DatabaseError.lockNotAvailable,
            DatabaseError.queryCanceled:
            self = .retry(fault)
        case let state where state.hasPrefix("42") || state.hasPrefix("58") || state.hasPrefix("28"):
            // Missing tables, missing rights, a failing disk: for an operator to mend, and no trade's fault.
            self = .unavailable(fault)
        default:
            self = .reject(fault)
        }
    }

    public var fault: DatabaseFault? {
        switch self {
        case .retry(let fault), .reject(let fault), .findOut(_, let fault), .unavailable(let fault): fault
        case .cancelled: nil
        }
    }
}

extension DatabaseFault {
    init(_ error: DatabaseError) {
        self.init(sqlState: error.sqlState, message: error.message)
    }
}
