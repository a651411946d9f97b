import CommandKit
import Repository
import TradeModel

/// What a page of a statement has of one asset.
struct StatementSection {
    let asset: Asset
    /// Before and after the period that was asked for.
    let opening: BalanceMoment
    let closing: BalanceMoment
    var lines: [StatementLine] = []
    /// Whether the page ended here although later assets have entries.
    var continues = false

    func table(for account: Identifier) -> Table {
        var table = Table(
            "TIME", "ENTRY", Table.Column("CHANGE", .right), Table.Column("AVAILABLE", .right),
            Table.Column("FROZEN CHANGE", .right), Table.Column("FROZEN", .right))
        func add(_ label: String, _ available: Amount, _ frozen: Amount) {
            table.add("", "\(label)", "", "\(text(available))", "", "\(text(frozen))")
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
            table.add(
                "\(line.at)", "\(line.words(for: account))", "\(signed(line.availableChange))",
                "\(text(line.available))", "\(signed(line.frozenChange))", "\(text(line.frozen))")
        }
        if let last = lines.last, last.version < closing.version {
            add("carried forward", last.available, last.frozen)
        } else {
            add("closing balance", closing.available, closing.frozen)
        }
        return table
    }

    private func text(_ amount: Amount) -> String { amount.text(decimals: asset.decimals) }

    /// A change with its sign; nothing where nothing changed.
    private func signed(_ amount: Amount) -> String {
        amount == .zero ? "" : (amount > .zero ? "+" : "") + text(amount)
    }

    func json(_ line: StatementLine, _ account: Identifier) -> JSONValue {
        let isTrade = line.market != nil
        return [
            "account": .id(account), "asset": .string(asset.symbol.text), "version": .count(line.version),
            "at": .time(line.at), "kind": .string(line.kind.rawValue),
            "market": .string(line.market?.text), "trade_id": isTrade ? .id(line.cause) : .null,
            "key": isTrade ? .null : .id(line.cause), "order_id": .string(line.order),
            "counterparty": .string(line.counterparty(of: account)),
            "price": .string(line.trade?.price?.description), "quantity": .string(line.trade?.quantity?.description),
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
        case .release: return "released from order \(order ?? "?"): \(name)"
        case .fee: return "fee of trade \(name)"
        case .trade:
            guard let trade, let market else { return "trade \(name)" }
            let what = "\(trade.quantity?.description ?? "?") \(market.base)"
            let price = "at \(trade.price?.description ?? "?") \(market.quote)"
            return trade.buyer == account.text
                ? "bought \(what) from \(trade.seller) \(price), trade \(name)"
                : "sold \(what) to \(trade.buyer) \(price), trade \(name)"
        }
    }
}
