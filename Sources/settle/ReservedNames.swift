import Repository
import TradeModel

/// The names that mean the exchange itself and what lies outside: no customer is given one, whose money would be taken
/// for theirs.
struct ReservedNames {
    private let connection: PostgresConnection

    init(_ connection: PostgresConnection) {
        self.connection = connection
    }

    /// Why an operation would open an account under such a name; nil where it does not. One that is open already stays.
    func rejection(of operation: Operation) throws -> Rejection? {
        let id = operation.account
        guard operation.kind == .deposit, isReserved(id),
            AccountStore.decode(try connection.query(AccountStore.find([id]))).isEmpty
        else { return nil }
        return Rejection(
            .invalid,
            "'\(id.text)' cannot be a customer's account: 'house' is the exchange itself and 'world' what lies "
                + "outside. Give another name")
    }

    private func isReserved(_ id: Identifier) -> Bool {
        switch AccountKind(rawValue: String(id.text.prefix { $0 != "/" })) {
        case .house?, .world?: true
        case .customer?, nil: false
        }
    }
}
