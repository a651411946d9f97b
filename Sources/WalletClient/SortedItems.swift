import Repository
import TradeModel

/// A batch's items by what is to be written of them: new trades in the order of their arrival, which gives them their
/// place in line, the others in the order of their keys.
struct SortedItems {
    var decided: DecidedTrades
    var finished: [TradeStore.FinishedTrade] = []
    var putBack: [(key: TradeKey, isHeld: Bool)] = []
    var letters: [NewLetter] = []

    init(
        _ batch: [SettlementItem], _ outcomes: [Outcome], _ books: Books, _ parking: Parking?,
        _ configuration: WalletConfiguration
    ) {
        decided = DecidedTrades(countMax: batch.count)
        let attempts = parking?.attempts ?? 1
        var contents: Set<[UInt8]> = []
        for index in batch.indices {
            let (item, outcome) = (batch[index], outcomes[index])
            let market = books.market(of: books.places[index])
            // Decided in an earlier transaction, or without a trace.
            if outcome == .duplicate || books.isDecided(item) { continue }
            var isStored = false
            switch (item.subject, item.receivedSequence, outcome) {
            case (.operation, _, _):
                continue
            case (.trade(let trade), nil, .settled):
                decided.append(trade, .settled, attempts: 1)
            case (.trade(let trade), nil, .deferred):
                let delay = books.isHeld(in: market) ? nil : configuration.limits.deferralMilliseconds
                decided.append(trade, .pending, attempts: 0, delayMilliseconds: delay)
            case (.trade(let trade), let place?, .settled):
                finished.append(TradeStore.FinishedTrade(trade.key, place: place, .settled, attempts: attempts))
            case (.trade(let trade), _?, .deferred):
                putBack.append((trade.key, books.isHeld(in: market)))
            case (.trade(let trade), nil, .rejected(let rejection)):
                isStored =
                    rejection.failureClass.claimsTradeID && market != nil && parking?.isStored != false
                if isStored { decided.append(trade, .failed, attempts: attempts) }
            case (_, let place?, _):
                isStored = true
                if let key = item.tradeKey {
                    finished.append(TradeStore.FinishedTrade(key, place: place, .failed, attempts: attempts))
                }
            case (.refused, nil, _):
                break
            case (_, _, .duplicate):
                continue
            }
            guard case .rejected(let rejection) = outcome else { continue }
            let letter = item.letter(rejection, attempts: attempts, isStored: isStored, configuration)
            if contents.insert(letter.content).inserted { letters.append(letter) }
        }
        finished.sort { $0.key < $1.key }
        putBack.sort { $0.key < $1.key }
    }
}

extension Books {
    /// Whether the answer to an earlier attempt was lost after all had been written.
    fileprivate func isDecided(_ item: SettlementItem) -> Bool {
        guard let lostBatch else { return false }
        if let key = item.trade?.key { return trades[key]?.batch == lostBatch }
        return false
    }
}

extension FailureClass {
    /// Whether a message that is rejected so takes its id in `trades`, as FAILED.
    var claimsTradeID: Bool {
        switch self {
        case .unknownAccount, .insufficientFunds, .queueFull, .retriesExhausted: true
        case .invalid, .unknownMarket, .conflict, .undecodable: false
        }
    }
}

extension SettlementItem {
    fileprivate func letter(
        _ rejection: Rejection, attempts: Int, isStored: Bool, _ configuration: WalletConfiguration
    ) -> NewLetter {
        let source =
            switch origin {
            case .message(let name): name
            case .pending: "trades"
            case .feed(let place): "feed \(place.stream)"
            }
        switch subject {
        case .trade(let trade):
            return NewLetter(
                content: trade.contentBytes, rejection: rejection, attempts: attempts,
                isStored: isStored, market: trade.market.text, tradeID: trade.id.text, buyer: trade.buyer.text,
                seller: trade.seller.text, stream: trade.stream?.text, sequence: trade.sequence, source: source,
                payload: payload.isEmpty ? configuration.render(trade) : payload)
        case .refused(let refused):
            let name = [refused.market, refused.tradeID].map { $0 ?? "" }.joined(separator: "\u{1f}")
            return NewLetter(
                content: payload.isEmpty ? Array("unreadable\u{1f}\(name)".utf8) : payload,
                rejection: Rejection(rejection.failureClass, storable(rejection.message)), attempts: attempts,
                isStored: isStored, market: refused.market.map { storable($0) },
                tradeID: refused.tradeID.map { storable($0) }, buyer: refused.buyer.map { storable($0) },
                seller: refused.seller.map { storable($0) }, source: source, payload: payload)
        case .operation:
            preconditionFailure("operations are refused to whoever asked, not parked")
        }
    }
}

/// A text that somebody sent, as a column and its index can hold it: without NUL, and not long.
private func storable(_ text: String) -> String {
    String(text.prefix(200).map { $0 == "\0" ? "\u{fffd}" : $0 })
}
