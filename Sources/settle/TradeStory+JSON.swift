import CommandKit
import Repository
import TradeModel

extension TradeStory {
    func json(needs: [TradeNeed], funded: [DeadLetter], advice: Advice) -> JSONValue {
        let content: JSONValue = trade?.json ?? .null
        return [
            "id": .id(key.id), "market": .string(key.market.text), "status": .string(trade?.status.rawValue),
            "trade": content, "quote": .string(quote), "fee_rule": .string(market?.feeRule.rawValue),
            "exact_quote": .string(rounding?.exact), "rounded_away": .string(rounding?.away),
            "received": way.map(\.json) ?? .null, "stages": .array(stagesJSON),
            "batch": .count(trade?.batch), "commit": batch?.json ?? .null,
            "postings": .array(postings.map(\.json)), "reversal": reversal.map { json($0) } ?? .null,
            "reversal_refusals": .array(reversalRefusals.map(\.json)),
            "waiting": waiting.map { $0.json(standstill) } ?? .null,
            "needs": .array(needs.map { .object($0.pairs) }),
            "would_fund": [
                "count": .integer(min(funded.count, LetterStory.relatedCountMax)),
                "has_more": .bool(funded.count > LetterStory.relatedCountMax),
                "letters": .array(funded.prefix(LetterStory.relatedMax).map { .count($0.number) }),
            ],
            "dead_letters": .array(
                letters.map { letter, events in
                    guard case .object(var pairs) = letter.json else { return .null }
                    pairs.append(("history", .array(events.map(\.json))))
                    return .object(pairs)
                }),
            "advice": advice.json,
        ]
    }

    /// What operators have stopped, of what the trade needs.
    var standstill: Standstill { Standstill(queue, halt.map { [$0] } ?? []) }

    private var stagesJSON: [JSONValue] {
        let stages = self.stages
        return stages.enumerated().map { place, stage in
            // Between clocks of two machines there is no time to be told.
            let before = place > 0 && stages[place - 1].name != "traded" ? stages[place - 1].at : nil
            return [
                "stage": .string(stage.name), "at": .time(stage.at),
                "microseconds": before.map { .count(stage.at.microseconds - $0.microseconds) } ?? .null,
            ]
        }
    }

    private func json(_ reversal: RecordedReversal) -> JSONValue {
        [
            "batch": .count(reversal.batch), "at": .time(reversal.at), "actor": .string(reversal.actor),
            "reason": .reason(reversal.reason), "postings": .array(reversalPostings.map(\.json)),
        ]
    }

    private var quote: String? {
        guard let content = trade?.trade, let market else { return nil }
        return DecimalNumber.productRoundedDown(content.price, content.quantity, decimals: market.quote.decimals)?
            .text(decimals: market.quote.decimals)
    }
}

extension TradeStory.Way {
    fileprivate var json: JSONValue {
        switch self {
        case .feed(let stream, let record):
            ["way": .string(name), "source": .null, "stream": .id(stream), "record": .count(record)]
        case .message(let source):
            ["way": .string(name), "source": .string(source), "stream": .null, "record": .null]
        case .row: ["way": .string(name), "source": .null, "stream": .null, "record": .null]
        }
    }
}

extension ReversalRefusal {
    fileprivate var json: JSONValue {
        [
            "at": .time(at), "actor": .string(actor), "reason": .reason(reason), "because": .string(because),
        ]
    }
}

extension TradeStory.Batch {
    fileprivate var json: JSONValue {
        [
            "worker": .count(worker), "host": .string(host),
            "pid": .count(processID), "committed_at": .time(committedAt),
            "transaction": .string(transaction), "trades": .integer(trades),
            "seal": seal.map { ["number": .count($0.seal), "chain": .string("\($0.chain)")] } ?? .null,
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
    fileprivate func json(_ standstill: Standstill) -> JSONValue {
        [
            "ahead": .count(ahead.value), "ahead_has_more": .bool(ahead.hasMore),
            "older_trade": .string(older?.description),
            "claimed_by": .count(claimedBy), "claim_is_alive": .bool(claimIsAlive),
            "not_before": .time(notBefore), "workers_alive": .count(workersAlive),
            "queue_paused": standstill.pause?.json ?? .null,
            "market_halted": standstill.halts.first?.stop.json ?? .null,
        ]
    }
}
