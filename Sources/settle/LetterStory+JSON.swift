import CommandKit
import Repository
import TradeModel

extension LetterStory {
    var json: JSONValue {
        guard case .object(var pairs) = letter.json else { preconditionFailure("a letter is an object") }
        pairs += [
            (key: "payload", value: .string(versions[0].text)),
            (key: "payload_encoding", value: .string(versions[0].isText ? "utf-8" : "hex")),
            (key: "versions", value: .array(versions.compactMap(\.json))),
            (key: "balances", value: .array(sides.map(json))),
            (key: "funded_by", value: .array(funders.map { .count($0.number) })),
            (
                key: "would_fund",
                value: [
                    "count": .integer(min(funded.count, Self.relatedCountMax)),
                    "has_more": .bool(funded.count > Self.relatedCountMax),
                    "letters": .array(funded.prefix(Self.relatedMax).map { .count($0.number) }),
                ]
            ),
            (key: "history", value: .array(events.map(\.json))),
            (key: "advice", value: advice.json),
        ]
        return .object(pairs)
    }

    private func json(_ side: TradeNeed) -> JSONValue {
        let then = availableThen(side).map { $0.text(decimals: side.asset.decimals) }
        return .object(side.pairs + [("available_then", .string(then))])
    }
}

extension LetterVersion {
    /// What was received is told by itself.
    fileprivate var json: JSONValue? {
        guard let edit else { return nil }
        return [
            "version": .integer(number), "payload": .string(text), "actor": .string(edit.actor),
            "reason": .string(edit.reason), "at": .time(edit.at),
        ]
    }
}

extension LetterEvent {
    var json: JSONValue {
        [
            "number": .integer(number), "at": .time(at), "action": .string(action), "actor": .string(actor),
            "worker": .count(worker), "sqlstate": .string(sqlState),
            "class": .string(failureClass), "message": .string(message),
        ]
    }
}

extension DeadLetter {
    var json: JSONValue {
        [
            "id": .count(number), "status": .string(status.rawValue), "class": .string(failureClass),
            "message": .string(message), "market": .string(market), "trade_id": .string(tradeID),
            "buyer_id": .string(buyer), "seller_id": .string(seller), "attempts": .integer(attempts),
            "source": .string(source), "parked_at": .time(parkedAt), "changed_at": .time(changedAt),
            "trade_status": .string(tradeStatus?.rawValue), "stored": .bool(isStored),
            "settled_meanwhile": .bool(wasSettledMeanwhile), "version": .integer(version),
            "shortfall": shortfall?.json ?? .null,
        ]
    }

    /// What the trade is called, as far as it could be read.
    var name: String { (market.map { "\($0):" } ?? "") + (tradeID ?? "-") }
}

extension Shortfall {
    fileprivate var json: JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return [
            "account": .id(account), "asset": .string(asset.symbol.text), "needed": text(needed),
            "available": text(available), "held": text(held), "missing": text(missing),
        ]
    }
}
