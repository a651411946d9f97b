import CommandKit
import Repository
import TradeModel
import WalletClient

/// What one side of a trade has to give, and has for it now.
struct TradeNeed {
    let side: Side
    let account: Identifier
    let asset: Asset
    let needed: Amount
    let available: Amount
    /// What the hold of its order still has of it.
    let held: Amount
    /// How far below zero the account may go.
    let creditLine: Amount
    let isKnown: Bool
    let isClosed: Bool

    /// What is missing today; zero when nothing is.
    var missing: Amount {
        guard let have = try? available.adding(held).adding(creditLine), have < needed,
            let missing = try? needed.subtracting(have)
        else { return .zero }
        return missing
    }

    /// The command that brings what is missing.
    var deposit: String {
        "settle deposit \(account.text.shellQuoted) \(missing.text(decimals: asset.decimals)) \(asset.symbol) --id KEY"
    }

    /// The command that lets the account owe what is missing.
    var credit: String {
        let line = (try? creditLine.adding(missing)) ?? missing
        return
            "settle account credit \(account.text.shellQuoted) \(line.text(decimals: asset.decimals)) \(asset.symbol) "
            + "--reason '…'"
    }

    var pairs: [(key: String, value: JSONValue)] {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return [
            ("side", .string(side.rawValue)), ("account", .id(account)), ("account_exists", .bool(isKnown)),
            ("asset", .string(asset.symbol.text)), ("needed", text(needed)), ("available", text(available)),
            ("credit_line", text(creditLine)), ("held", text(held)), ("missing", text(missing)),
        ]
    }

    /// What both sides need; nothing where the trade is none that its market could settle.
    static func both(of trade: Trade, _ market: Market, _ connection: PostgresConnection) throws -> [TradeNeed] {
        guard let terms = try? TradeTerms(trade, market: market), let buyerGives = try? terms.buyerGives() else {
            return []
        }
        let orders = [trade.buyOrder, trade.sellOrder].compactMap {
            $0.map { OrderKey(stream: trade.stream, order: $0) }
        }
        let answers = try connection.pipeline([
            AccountStore.find([trade.buyer, trade.seller]), HoldStore.read(orders),
        ])
        let accounts = Dictionary(
            AccountStore.decode(answers[0]).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let holds = Dictionary(HoldStore.decode(answers[1]).map { ($0.key, $0.hold) }, uniquingKeysWith: { $1 })
        let gifts: [(Side, Identifier, Asset, Amount, Identifier?)] = [
            (.buyer, trade.buyer, market.quote, buyerGives, trade.buyOrder),
            (.seller, trade.seller, market.base, terms.sellerGives, trade.sellOrder),
        ]
        let keys = gifts.compactMap { _, id, asset, _, _ in
            accounts[id].map { BalanceKey(account: $0.number, asset: asset.number) }
        }
        let balances = Dictionary(
            BalanceStore.decode(try connection.query(BalanceStore.read(keys))).map {
                (keys[$0.place], $0.balance)
            },
            uniquingKeysWith: { $1 })
        return gifts.map { side, id, asset, needed, order in
            let account = accounts[id]
            let balance = account.flatMap { balances[BalanceKey(account: $0.number, asset: asset.number)] }
            let hold = order.flatMap { holds[OrderKey(stream: trade.stream, order: $0)] }
            let isHeldHere = hold?.account == account?.number && hold?.asset == asset.number
            return TradeNeed(
                side: side, account: id, asset: asset, needed: needed, available: balance?.available ?? .zero,
                held: isHeldHere ? min(hold?.remaining ?? .zero, needed) : .zero,
                creditLine: (balance?.lowest ?? .zero).negated, isKnown: account != nil,
                isClosed: account?.status == .closed)
        }
    }
}
