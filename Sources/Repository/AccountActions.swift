import TradeModel

/// Why an account cannot be what an operator wants it to be.
public enum AccountRefusal: Error, Sendable {
    case unknown
    /// It still has money, or money is held for its orders.
    case hasMoney([BalanceRecord])
    /// Trades of it wait to be settled.
    case hasWaitingTrades
    case isClosed
    /// More of the credit line is used than would be left of it.
    case lineIsUsed(BalanceRecord)
    case database(DatabaseError)
}

/// What operators do to accounts.
///
/// Each change locks the account and all its balances first, in the order of their keys: it waits for the batches that
/// move them, and those that come later see it, since they ask for the status after they have changed the balances.
public enum AccountActions {
    /// - Returns: whether that is new.
    public static func set(
        _ status: AccountStatus, of id: Identifier, actor: String, reason: String, on connection: PostgresConnection,
        dryRun: Bool = false
    ) throws(AccountRefusal) -> Bool {
        try inTransaction(on: connection, dryRun: dryRun) { () throws(AccountRefusal) in
            let (account, balances) = try lock(id, connection)
            guard account.status != status else { return false }
            let kind: OperatorAction.Kind
            var detail = [(name: "from", value: account.status.rawValue)]
            switch status {
            case .active: kind = .unfreeze
            case .frozen:
                kind = .freeze
                guard account.status != .closed else { throw .isClosed }
            case .closed:
                kind = .close
                let withMoney = balances.filter { $0.available != .zero || $0.frozen != .zero }
                guard withMoney.isEmpty else { throw .hasMoney(withMoney) }
                let waiting = try asked { () throws(DatabaseError) in
                    try connection.query(TradeStore.waiting(of: id))
                }
                guard TradeStore.decodeWaiting(waiting).count.value == 0 else { throw .hasWaitingTrades }
                // What nobody can use is not left lying about, to be there again when the account is opened again.
                detail += balances.filter { $0.creditLine != .zero }.map {
                    (name: "credit_\($0.asset.symbol)", value: $0.creditLine.text(decimals: $0.asset.decimals))
                }
            }
            try asked { () throws(DatabaseError) in
                if status == .closed {
                    _ = try connection.query(BalanceStore.removeLinesStatement, .int8(account.number))
                }
                _ = try connection.query(AccountStore.setStatusStatement, .int8(account.number), .text(status.rawValue))
                try connection.query(
                    OperatorActionStore.record(
                        OperatorAction(kind, .account(id), actor: actor, reason: reason, detail: detail)))
            }
            return true
        }
    }

    /// Sets how far an account may go below zero in an asset; zero takes the line away.
    ///
    /// - Returns: the line as it was.
    public static func setCreditLine(
        _ line: Amount, _ asset: Asset, of id: Identifier, actor: String, reason: String,
        on connection: PostgresConnection, dryRun: Bool = false
    ) throws(AccountRefusal) -> Amount {
        try inTransaction(on: connection, dryRun: dryRun) { () throws(AccountRefusal) in
            let (account, balances) = try lock(id, connection, toSetLineIn: asset, opening: line != .zero)
            if account.status == .closed, line != .zero { throw .isClosed }
            let balance = balances.first { $0.asset.number == asset.number }
            let before = balance?.creditLine ?? .zero
            guard before != line else { return before }
            if let balance, balance.available < line.negated { throw .lineIsUsed(balance) }
            try asked { () throws(DatabaseError) in
                _ = try connection.query(
                    BalanceStore.setLineStatement, .int8(account.number), .int4(asset.number),
                    .numeric(DecimalNumber(line.negated, decimals: 0)))
                try connection.query(
                    OperatorActionStore.record(
                        OperatorAction(
                            .credit, .account(id), actor: actor, reason: reason,
                            detail: [
                                (name: "asset", value: asset.symbol.text),
                                (name: "amount", value: line.text(decimals: asset.decimals)),
                                (name: "from", value: before.text(decimals: asset.decimals)),
                            ])))
            }
            return before
        }
    }

    // MARK: In one transaction

    /// A balance that does not exist is opened before the others are locked, in the order in which batches do that: two
    /// who open the same one must not wait for each other in a ring.
    ///
    /// - Parameter opening: whether the balance in the asset is needed.
    private static func lock(
        _ id: Identifier, _ connection: PostgresConnection, toSetLineIn asset: Asset? = nil, opening: Bool = false
    ) throws(AccountRefusal) -> (AccountRecord, [BalanceRecord]) {
        let rows = try asked { () throws(DatabaseError) in
            try connection.query(
                asset == nil ? AccountStore.lockStatement : AccountStore.lockForLineStatement, .text(id.text))
        }
        guard let account = AccountStore.decodeRecords(rows).first else { throw .unknown }
        let balances = try asked { () throws(DatabaseError) in
            if let asset, opening {
                let key = BalanceKey(account: account.number, asset: asset.number)
                try connection.query(BalanceStore.open([(key, .zero)]))
            }
            _ = try connection.query(BalanceStore.lockStatement, .int8(account.number))
            return try connection.query(BalanceStore.records(of: account.number))
        }
        return (account, BalanceStore.decodeRecords(balances))
    }

    private static func inTransaction<Value>(
        on connection: PostgresConnection, dryRun: Bool, _ body: () throws(AccountRefusal) -> Value
    ) throws(AccountRefusal) -> Value {
        try asked { () throws(DatabaseError) in _ = try connection.query(Statement.begin) }
        do {
            let value = try body()
            if dryRun {
                connection.rollBack()
            } else {
                try asked { () throws(DatabaseError) in try connection.commit() }
            }
            return value
        } catch {
            connection.rollBack()
            throw error
        }
    }

    @discardableResult
    private static func asked<Value>(_ body: () throws(DatabaseError) -> Value) throws(AccountRefusal) -> Value {
        do { return try body() } catch { throw .database(error) }
    }
}
