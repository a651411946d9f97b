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
        case DatabaseError.lockNotAvailable, DatabaseError.queryCanceled:
            self = .retry(fault)
        case let state where state.hasPrefix("40"):
            self = .retry(fault)
        case let state where ["0A", "25", "26", "28", "3D", "3F", "42", "58", "F0"].contains(state.prefix(2)):
            // A session in the wrong state, prepared statements that are gone or no longer fit the tables, missing
            // rights or tables, a failing disk: no trade's fault. The connection is given up, which mends the first
            // two; what stays broken is for an operator to mend.
            self = .unavailable(fault)
        default:
            self = .reject(fault)
        }
    }

    public var fault: DatabaseFault? {
        switch self {
        case .retry(let fault), .reject(let fault), .findOut(_, let fault), .unavailable(let fault): fault
        case .overtaken, .outOfTurn: nil
        }
    }
}

extension DatabaseFault {
    init(_ error: DatabaseError) {
        self.init(sqlState: error.sqlState, message: error.message)
    }
}
