import CommandKit
import Repository
import TradeModel

extension LetterStory {
    /// What to do about the letter.
    var advice: Advice {
        switch letter.status {
        case .discarded:
            return Advice(remarks: ["It was given up. This brings it back:"], steps: ["\(retry) --discarded"])
        case .retried where letter.tradeStatus == .settled:
            return Advice(remarks: ["Nothing is left to do: the trade is settled."])
        case .retried:
            return Advice(steps: ["settle explain \(name)"])
        case .open where isThereAlready:
            return Advice(
                remarks: ["The same trade was settled meanwhile. This closes the letter, without effect:"],
                steps: [retry])
        case .open:
            var advice = letter.wasSettledMeanwhile ? meanwhileAdvice : adviceByClass
            advice.alternatives.append("settle dlq discard \(letter.number) --reason '…'")
            return advice
        }
    }

    private var name: String { letter.name.shellQuoted }
    private var retry: String { "settle dlq retry \(letter.number)" }

    private var meanwhileAdvice: Advice {
        Advice(
            remarks: ["A trade of the same id was settled meanwhile, and says something else."],
            steps: ["settle trade show \(name)"])
    }

    private var adviceByClass: Advice {
        // What an edit has mended stands in its way no more: only money may.
        if letter.version > 1, isMended { return moneyAdvice }
        return switch FailureClass(rawValue: letter.failureClass) {
        case .insufficientFunds, .unknownAccount: moneyAdvice
        case .unknownMarket: marketAdvice
        case .conflict:
            Advice(
                remarks: ["If both trades are meant, this one needs an id of its own."],
                steps: ["settle trade show \(name)", edit("--set id=…"), retry])
        case .invalid: Advice(steps: [edit("--set \(wrongField)=…"), retry])
        case .undecodable: Advice(steps: [edit("--payload FILE"), retry])
        case .queueFull, .retriesExhausted, nil:
            Advice(
                remarks: ["Nothing is wrong with the trade itself. When what stood in its way is gone:"],
                steps: [retry])
        }
    }

    /// Whether its market could settle what it says now, under a name that no other trade has.
    private var isMended: Bool { !sides.isEmpty && (letter.isStored || recorded == nil) }

    private func edit(_ change: String) -> String { "settle dlq edit \(letter.number) \(change) --reason '…'" }

    private var moneyAdvice: Advice {
        var advice = Advice()
        for side in sides where side.isClosed {
            advice.remarks.append("Account \(side.account) is closed, and nothing settles on it.")
            advice.steps.append("settle account unfreeze \(side.account.text.shellQuoted) --reason '…'")
        }
        let poor = sides.filter { $0.missing > .zero }
        if advice.steps.isEmpty, poor.isEmpty { advice.remarks.append("Nothing is missing now.") }
        if let funder = funders.first, !poor.isEmpty {
            advice.remarks.append("Dead letter \(funder.number) would bring money to this one: look at that first.")
        }
        if followsEngine, !poor.isEmpty {
            advice.remarks.append("An engine is followed: through it comes the money of the accounts that it knows.")
        }
        advice.steps += poor.map { followsEngine && $0.isKnown ? $0.credit : $0.deposit } + [retry]
        return advice
    }

    private var marketAdvice: Advice {
        guard let symbol = letter.market.flatMap({ MarketSymbol($0) }) else {
            return Advice(steps: [edit("--set market=…"), retry])
        }
        if market != nil {
            guard !sides.isEmpty else { return Advice(steps: [edit("--set \(wrongField)=…"), retry]) }
            var advice = moneyAdvice
            advice.remarks.insert("The market is there now.", at: 0)
            return advice
        }
        let assets = [symbol.base, symbol.quote].filter { catalog.assets[$0] == nil }
        return Advice(
            steps: assets.map { "settle asset add \($0) --decimals …" } + ["settle market add \(symbol)", retry])
    }

    /// The field that the message complains of, where it begins with its name.
    private var wrongField: String {
        let words = letter.message.split { !($0.isLetter || $0 == "_") }.map(String.init)
        let known = ["price", "quantity", "buyer_id", "seller_id", "buyer_fee", "seller_fee", "market", "id", "taker"]
        return words.prefix(2).first { known.contains($0) } ?? "price"
    }
}
