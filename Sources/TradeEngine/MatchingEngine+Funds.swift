import HashChain
import TradeModel

extension MatchingEngine {
    mutating func deposit(
        _ transfer: EngineCommandView.TransferView, _ command: UnsafeRawBufferPointer
    ) throws(RejectReason) {
        let (asset, amount, key) = try check(transfer, command)
        let known = book.find(transfer.account)
        if known == nil, !Self.canBeOpened(transfer.account) { throw .invalidAccountName }
        guard totals[asset].world - amount >= -ListedAsset.unitsMax,
            known != nil || book.accounts.count < AccountBook.accountLimit
        else { throw .limitReached }
        let account = known ?? book.open(transfer.account)
        let balance = book.openBalance(account, asset)
        book.balances[balance].available += amount
        totals[asset].world -= amount
        operationKeys.insert(key)
        beginEvents()
    }

    mutating func withdraw(
        _ transfer: EngineCommandView.TransferView, _ command: UnsafeRawBufferPointer
    ) throws(RejectReason) {
        let (asset, amount, key) = try check(transfer, command)
        guard let account = book.find(transfer.account) else { throw .unknownAccount }
        guard let balance = book.balance(account, asset), book.balances[balance].available >= amount else {
            throw .insufficientFunds
        }
        book.balances[balance].available -= amount
        totals[asset].world += amount
        operationKeys.insert(key)
        beginEvents()
    }

    private func check(
        _ transfer: EngineCommandView.TransferView, _ command: UnsafeRawBufferPointer
    ) throws(RejectReason) -> (asset: Int32, amount: Int128, key: OperationKeys.Key) {
        guard let asset = findAsset(transfer.asset) else { throw .unknownAsset }
        guard transfer.amount.isPositive, let amount = transfer.amount.amount(decimals: assets[Int(asset)].decimals)
        else { throw .invalidAmount }
        // The same is: of the same kind, and with the same fields. When it came in does not count.
        let body = UnsafeRawBufferPointer(rebasing: command[EngineCommand.bodyOffset...])
        let key = OperationKeys.key(
            transfer.key, content: HashChain.checksum(body, seed: UInt64(command[EngineCommand.kindOffset])))
        if let earlier = operationKeys.find(key) {
            throw earlier == key ? .duplicateOperation : .operationConflict
        }
        return (asset, amount.units, key)
    }

    /// Whether a customer may be called so: not as the house or the outside world, nor with blanks that nobody sees.
    private static func canBeOpened(_ text: UnsafeRawBufferPointer) -> Bool {
        let id = Identifier(stored: String(decoding: text, as: UTF8.self))
        let first = id.text.prefix { $0 != "/" }
        return !id.hasOuterBlanks && first != "house" && first != "world"
    }
}
