import CommandKit
import Repository
import TradeModel

extension TradeStory {
    func json(needs: [TradeNeed]) -> JSONValue {
        let content: JSONValue = trade?.json ?? .null
        return [
            "id": .id(key.id), "market": .string(key.market.text), "status": .string(trade?.status.rawValue),
            "trade": content, "quote": .string(quote), "fee_rule": .string(market?.feeRule.rawValue),
            "batch": batch?.json ?? .null, "postings": .array(postings.map(\.json)),
            "waiting": waiting.map { $0.json(isHalted: isHalted) } ?? .null,
            "needs": .array(needs.map { .object($0.pairs) }),
            "dead_letters": .array(
                letters.map { letter, events in
                    guard case .object(var pairs) = letter.json else { return .null }
                    pairs.append(("history", .array(events.map(\.json))))
                    return .object(pairs)
                }),
        ]
    }

    private var quote: String? {
        guard let content = trade?.trade, let market else { return nil }
        return DecimalNumber.productRoundedDown(content.price, content.quantity, decimals: market.quote.decimals)?
            .text(decimals: market.quote.decimals)
    }
}

extension TradeStory.Batch {
    fileprivate var json: JSONValue {
        [
            "number": .count(number), "worker": worker.map { .count($0) } ?? .null, "host": .string(host),
            "process_id": processID.map { .integer(Int($0)) } ?? .null, "committed_at": .time(committedAt),
            "trades": .integer(trades),
        ]
    }
}

extension TradeStory.Posting {
    fileprivate var json: JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return [
            "account": .string(account), "account_kind": .string(accountKind.rawValue),
            "asset": .string(asset.symbol.text), "kind": .string(kind.rawValue), "version": .count(version),
            "available_before": text(availableBefore), "available_change": text(availableChange),
            "available_after": text(available), "frozen_before": text(frozenBefore),
            "frozen_change": text(frozenChange), "frozen_after": text(frozen),
        ]
    }
}

extension TradeStory.Waiting {
    fileprivate func json(isHalted: Bool) -> JSONValue {
        [
            "ahead": .count(ahead.value), "ahead_has_more": .bool(ahead.hasMore),
            "older_trade": .string(older?.description),
            "claimed_by": claimedBy.map { .count($0) } ?? .null, "claim_is_alive": .bool(claimIsAlive),
            "not_before": .time(notBefore), "workers_alive": .count(workersAlive), "market_halted": .bool(isHalted),
        ]
    }
}
