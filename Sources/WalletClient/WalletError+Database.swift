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
        case let state where ["25", "28", "42", "58"].contains(state.prefix(2)):
            // A session in the wrong state, missing rights or tables, a failing disk: no trade's fault. The connection is
            // given up, and what stays broken is for an operator to mend.
            self = .unavailable(fault)
        default:
            self = .reject(fault)
        }
    }

    public var fault: DatabaseFault? {
        switch self {
        case .retry(let fault), .reject(let fault), .findOut(_, let fault), .unavailable(let fault): fault
        case .overtaken: nil
        }
    }
}

extension DatabaseFault {
    init(_ error: DatabaseError) {
        self.init(sqlState: error.sqlState, message: error.message)
    }
}
