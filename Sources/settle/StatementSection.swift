import CommandKit
import Repository
import TradeModel

/// What a page of a statement has of one asset.
struct StatementSection {
    let asset: Asset
    /// The fee rules of the markets, by which it is told whose fee an entry holds.
    let markets: [MarketSymbol: Market]
    /// Before and after the period that was asked for.
    let opening: BalanceMoment
    let closing: BalanceMoment
    var lines: [StatementLine] = []
    /// Whether the page ended here although later assets have entries.
    var continues = false

    func table(for account: Identifier) -> Table {
        var table = Table(
            Table.Column("TIME", isCut: false), Table.Column("ENTRY", wraps: true), Table.Column("CHANGE", .right),
            Table.Column("AVAILABLE", .right), Table.Column("FROZEN CHANGE", .right), Table.Column("FROZEN", .right))
        if !hasFrozen { table.columns.removeLast(2) }
        func add(_ cells: [Table.Cell]) { table.add(hasFrozen ? cells : cells.dropLast(2)) }
        func add(_ label: String, _ available: Amount, _ frozen: Amount) {
            add(["", "\(label)", "", "\(text(available))", "", "\(text(frozen))"])
        }
        if let first = lines.first, first.version > opening.version + 1,
            let available = try? first.available.subtracting(first.availableChange),
            let frozen = try? first.frozen.subtracting(first.frozenChange)
        {
            add("brought forward", available, frozen)
        } else if !lines.isEmpty || opening.version == closing.version {
            add("opening balance", opening.available, opening.frozen)
        }
        for line in lines {
            add([
                "\(line.at.inSeconds)", "\(words(line, account))", "\(signed(line.availableChange))",
                "\(text(line.available))", "\(signed(line.frozenChange))", "\(text(line.frozen))",
            ])
        }
        if let last = lines.last, last.version < closing.version {
            add("carried forward", last.available, last.frozen)
        } else {
            add("closing balance", closing.available, closing.frozen)
        }
        return table
    }

    /// Most accounts never have anything on hold; the columns of that would take the room of the words.
    private var hasFrozen: Bool {
        opening.frozen != .zero || closing.frozen != .zero
            || lines.contains { $0.frozen != .zero || $0.frozenChange != .zero }
    }

    private func text(_ amount: Amount) -> String { amount.text(decimals: asset.decimals) }

    /// A change with its sign; nothing where nothing changed.
    private func signed(_ amount: Amount) -> String {
        amount == .zero ? "" : (amount > .zero ? "+" : "") + text(amount)
    }

    /// What an entry's change is smaller by, since it went to the house; nil where an entry holds no fee.
    private func fee(_ line: StatementLine, _ account: Identifier) -> Amount? {
        guard line.kind == .trade, let trade = line.trade, let market = line.market.flatMap({ markets[$0] }) else {
            return nil
        }
        let (isBuyer, isSeller) = (trade.buyer == account.text, trade.seller == account.text)
        let pays = line.availableChange.isNegative || line.frozenChange.isNegative
        let fee: DecimalNumber? =
            switch market.feeRule {
            case .received where asset == market.base: isBuyer && !(isSeller && pays) ? trade.buyerFee : nil
            // A rebate is an entry of its own.
            case .quote where asset == market.quote && isBuyer && (!isSeller || pays):
                trade.buyerFee.map { $0.isNegative ? .zero : $0 }
            case _ where asset == market.quote: isSeller && !(isBuyer && pays) ? trade.sellerFee : nil
            default: nil
            }
        return fee?.amount(decimals: asset.decimals)
    }

    private func words(_ line: StatementLine, _ account: Identifier) -> String {
        let words = line.words(for: account)
        guard let fee = fee(line, account), fee != .zero else { return words }
        return words + (fee.isNegative ? ", rebate \(asset.text(fee.negated))" : ", fee \(asset.text(fee))")
    }

    func json(_ line: StatementLine, _ account: Identifier) -> JSONValue {
        let isTrade = line.market != nil
        let fee = fee(line, account)
        return [
            "account": .id(account), "asset": .string(asset.symbol.text), "version": .count(line.version),
            "at": .time(line.at), "kind": .string(line.kind.rawValue),
            "market": .string(line.market?.text), "trade_id": isTrade ? .id(line.cause) : .null,
            "key": isTrade ? .null : .id(line.cause), "order_id": .string(line.order),
            "counterparty": .string(line.counterparty(of: account)),
            "price": .string(line.trade?.price?.description), "quantity": .string(line.trade?.quantity?.description),
            "fee": .string(fee.map(text)), "fee_asset": .string(fee.map { _ in asset.symbol.text }),
            "available_change": .string(text(line.availableChange)),
            "frozen_change": .string(text(line.frozenChange)), "available": .string(text(line.available)),
            "frozen": .string(text(line.frozen)), "batch": .count(line.batch),
        ]
    }
}

extension StatementLine {
    /// Who stands on the other side of the trade; nil where the account is on neither, as the house is.
    fileprivate func counterparty(of account: Identifier) -> String? {
        guard let trade else { return nil }
        if trade.buyer == account.text { return trade.seller }
        return trade.seller == account.text ? trade.buyer : nil
    }

    /// What happened, to whoever owns the account.
    fileprivate func words(for account: Identifier) -> String {
        let name = (market.map { "\($0):" } ?? "") + cause.text
        switch kind {
        case .deposit: return "deposit \(name)"
        case .withdrawal: return "withdrawal \(name)"
        case .reserve: return "held for order \(order ?? "?"): \(name)"
        case .reversal: return "reversal of trade \(name)"
        case .release: return "released from order \(order ?? "?"): \(name)"
        case .fee:
            // What a side pays is taken off what the trade itself moves.
            let isRebate = availableChange.isNegative || counterparty(of: account) != nil
            return "\(isRebate ? "rebate" : "fee") of trade \(name)"
        case .trade:
            guard let trade, let market else { return "trade \(name)" }
            let what = "\(trade.quantity?.description ?? "?") \(market.base)"
            let price = "at \(trade.price?.description ?? "?") \(market.quote)"
            return trade.buyer == account.text
                ? "trade \(name), bought \(what) from \(trade.seller) \(price)"
                : "trade \(name), sold \(what) to \(trade.buyer) \(price)"
        }
    }
}
