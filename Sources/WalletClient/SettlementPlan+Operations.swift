import Repository
import TradeModel

extension SettlementPlan {
    /// - Parameter place: where it stands in a feed, if it came by one.
    mutating func decide(_ operation: Operation, _ place: StreamPlace?, _ books: Books) -> Outcome {
        guard let asset = books.catalog.assets[operation.asset] else {
            return .rejected(Rejection(.invalid, "there is no asset \(operation.asset)"))
        }
        guard operation.amount.isPositive, let amount = operation.amount.amount(decimals: asset.decimals) else {
            return .rejected(
                Rejection(
                    .invalid,
                    operation.amount.isPositive
                        ? "amount \(operation.amount) does not fit \(asset.symbol), "
                            + "which has \(asset.decimals) decimals"
                        : "amount \(operation.amount) is not positive"))
        }
        if let earlier = decidedOperations[operation.key] {
            return earlier == operation
                ? .duplicate
                : .rejected(
                    usedBefore(operation.key, earlier.kind, "\(earlier.amount) \(earlier.asset)", earlier.account))
        }
        if let recorded = books.operations[operation.key] {
            guard
                recorded.kind == operation.kind, recorded.account == operation.account,
                recorded.asset == asset.number, recorded.amount == amount, recorded.order == operation.order
            else {
                let its = books.catalog.assets.values.first { $0.number == recorded.asset }
                return .rejected(
                    usedBefore(
                        operation.key, recorded.kind, its?.text(recorded.amount) ?? "something", recorded.account))
            }
            guard recorded.batch == books.lostBatch else { return .duplicate }
            decidedOperations[operation.key] = operation
            return .settled
        }
        if let parking { return .rejected(parking) }
        do {
            try apply(operation, place, asset, amount, books)
            decidedOperations[operation.key] = operation
            return .settled
        } catch {
            balances.takeBack()
            return .rejected(error)
        }
    }

    private func usedBefore(
        _ key: Identifier, _ kind: Operation.Kind, _ amount: String, _ account: Identifier
    ) -> Rejection {
        Rejection(.conflict, "id \(key) was used before, for a \(kind.rawValue) of \(amount), account \(account)")
    }

    private mutating func apply(
        _ operation: Operation, _ place: StreamPlace?, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws(Rejection) {
        guard let account = books.memory[account: places.first] else {
            unknownAccounts.insert(operation.account)
            throw Rejection(.unknownAccount, "there is no account \(operation.account); a first deposit opens it")
        }
        guard account.status != .closed else {
            judge(places.first, books)
            throw Rejection(.unknownAccount, "account \(account.id) is closed")
        }
        if account.status == .frozen, operation.kind == .withdrawal || operation.kind == .reserve {
            judge(places.first, books)
            throw Rejection(.invalid, "account \(account.id) is frozen")
        }
        let index = balances.slot(places[.firstBase])
        if operation.kind == .withdrawal || operation.kind == .reserve,
            let missing = balances.shortfall(amount, in: index, books)
        {
            throw Rejection(
                payer: "account \(account.id)",
                Shortfall(
                    account: account.id, asset: asset, needed: amount, available: balances.availableNow(index, books),
                    missing: missing))
        }
        do {
            switch operation.kind {
            case .deposit:
                try balances.change(index, available: amount, frozen: .zero, .deposit, operation.key, nil, books)
                try balances.change(
                    balances.slot(places[.insideBase]),
                    available: amount.negated, frozen: .zero, .deposit, operation.key, nil, books)
            case .withdrawal:
                try balances.change(
                    index, available: amount.negated, frozen: .zero, .withdrawal, operation.key, nil, books)
                try balances.change(
                    balances.slot(places[.insideBase]),
                    available: amount, frozen: .zero, .withdrawal, operation.key, nil, books)
            case .reserve:
                try hold(operation, account, asset, amount, books)
                try balances.change(
                    index, available: amount.negated, frozen: amount, .reserve, operation.key, nil, books)
            case .release:
                try release(operation, account, asset, amount, books)
                try balances.change(
                    index, available: amount, frozen: amount.negated, .release, operation.key, nil, books)
            }
        } catch let rejection as Rejection {
            throw rejection
        } catch { throw Rejection(.invalid, "the balance would have more than 38 digits") }
        operations.append(
            NewOperation(
                operation: operation, place: place, account: account.number, asset: asset.number, amount: amount))
    }

    private mutating func hold(
        _ operation: Operation, _ account: Account, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws {
        guard let order = operation.order else { throw Rejection(.invalid, "a reserve names its order") }
        var hold =
            balances.hold(for: order, books)
            ?? Hold(account: account.number, asset: asset.number, reserved: .zero, remaining: .zero)
        guard hold.account == account.number, hold.asset == asset.number else {
            throw Rejection(.conflict, "order \(order.order) holds money of another account or asset")
        }
        hold.reserved = try hold.reserved.adding(amount)
        hold.remaining = try hold.remaining.adding(amount)
        balances.setHold(hold, for: order)
    }

    private mutating func release(
        _ operation: Operation, _ account: Account, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws {
        guard let order = operation.order else { throw Rejection(.invalid, "a release names its order") }
        guard var hold = balances.hold(for: order, books), hold.account == account.number,
            hold.asset == asset.number
        else {
            throw Rejection(.invalid, "account \(account.id) holds no \(asset.symbol) for order \(order.order)")
        }
        guard hold.remaining >= amount else {
            throw Rejection(
                .insufficientFunds,
                "order \(order.order) has \(asset.text(hold.remaining)) left on hold, "
                    + "less than the \(asset.text(amount)) to be released")
        }
        hold.remaining = hold.remaining.reduced(by: amount)
        balances.setHold(hold, for: order)
    }
}
