import CommandKit
import Repository
import TradeModel
import WalletClient

extension LetterStory {
    /// What to do next, as lines with commands that can be typed.
    var advice: [String] {
        let number = letter.number
        switch letter.status {
        case .discarded:
            return ["It was given up. To bring it back: settle dlq retry \(number) --discarded"]
        case .retried:
            return switch letter.tradeStatus {
            case .settled: ["Nothing is left to do: the trade is settled."]
            case .pending: ["It waits for a worker; settle trade show \(name) says how it stands."]
            case .failed, nil: ["settle trade show \(name) says how the trade stands."]
            }
        case .open:
            break
        }
        let giveUp = "To give it up: settle dlq discard \(number) --reason '…'"
        let isMeanwhile = isThereAlready || letter.wasSettledMeanwhile
        return (isMeanwhile ? meanwhileAdvice : adviceByClass) + (isThereAlready ? [] : [giveUp])
    }

    private var name: String { letter.name.printable }
    private var retry: String { "settle dlq retry \(letter.number)" }

    private var meanwhileAdvice: [String] {
        isThereAlready
            ? ["The same trade was settled meanwhile. To close the letter, without effect: \(retry)"]
            : [
                "A trade of the same id was settled meanwhile, and says something else: compare settle trade show \(name)."
            ]
    }

    private var adviceByClass: [String] {
        switch FailureClass(rawValue: letter.failureClass) {
        case .insufficientFunds, .unknownAccount: moneyAdvice
        case .unknownMarket: marketAdvice
        case .conflict:
            [
                "To compare: settle trade show \(name)",
                "To settle this one under an id of its own: \(edit("--set id=…")), then \(retry)",
            ]
        case .invalid: ["To settle what was meant: \(edit("--set \(wrongField)=…")), then \(retry)"]
        case .undecodable: ["To settle what was meant: \(edit("--payload FILE")), then \(retry)"]
        case .queueFull, .retriesExhausted, nil:
            ["Nothing is wrong with the trade itself. When what stood in its way is gone: \(retry)"]
        }
    }

    private func edit(_ change: String) -> String { "settle dlq edit \(letter.number) \(change) --reason '…'" }

    private var moneyAdvice: [String] {
        if let closed = sides.first(where: \.isClosed) {
            return ["Account \(closed.account.text.printable) is closed, and nothing settles on it."]
        }
        let steps = sides.filter { $0.missing > .zero }.map { side in
            "settle deposit \(side.account.text.printable) \(side.missing.text(decimals: side.asset.decimals)) "
                + "\(side.asset.symbol) --id …"
        }
        guard !steps.isEmpty else { return ["Nothing is missing now. To settle it: \(retry)"] }
        let earlier = funders.first.map {
            ["Dead letter \($0.number) would bring money to this one: look at that first."]
        }
        return (earlier ?? []) + ["To settle it: \(steps.joined(separator: ", ")), then \(retry)"]
    }

    private var marketAdvice: [String] {
        guard let symbol = letter.market.flatMap({ MarketSymbol($0) }) else {
            return ["To settle it in another market: \(edit("--set market=…")), then \(retry)"]
        }
        if market != nil { return ["The market is there now. To settle it: \(retry)"] }
        let assets = symbol.text.split(separator: "/").filter { catalog.assets[AssetSymbol($0)!] == nil }
        let steps = assets.map { "settle asset add \($0) --decimals …" } + ["settle market add \(symbol)"]
        return ["To settle it: \(steps.joined(separator: ", ")), then \(retry)"]
    }

    /// The field that the message complains of, where it begins with its name.
    private var wrongField: String {
        let words = letter.message.split { !($0.isLetter || $0 == "_") }.map(String.init)
        let known = ["price", "quantity", "buyer_id", "seller_id", "buyer_fee", "seller_fee", "market", "id", "taker"]
        return words.prefix(2).first { known.contains($0) } ?? "price"
    }
}
