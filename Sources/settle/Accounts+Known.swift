import CommandKit
import Repository
import TradeModel

extension AccountStore {
    /// The accounts that a name means; fails when there are none.
    static func known(_ name: Identifier, _ connection: PostgresConnection) throws -> [NamedAccount] {
        let accounts = try named(name, connection)
        // House and world are there from the beginning; their accounts are opened as they are needed.
        let isShared = AccountKind(rawValue: name.text).map { $0 != .customer } ?? false
        guard !accounts.isEmpty || isShared else {
            throw CommandFailure.noAccount(name)
        }
        return accounts
    }
}

extension AccountRecord {
    /// The customer of that id; fails when there is none.
    static func find(_ id: Identifier, _ connection: PostgresConnection) throws -> AccountRecord {
        guard let found = AccountStore.decodeRecords(try connection.query(AccountStore.record(id))).first else {
            throw CommandFailure.noAccount(id)
        }
        return found
    }
}
