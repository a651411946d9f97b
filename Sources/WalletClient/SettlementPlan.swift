import Repository
import TradeModel

/// What a batch does, decided item by item on running balances: a trade may spend what an earlier one brought.
///
/// Pure: the same batch and books give the same plan. Whether the books were right is asked in the write, by the
/// conditions that each balance's change carries.
struct SettlementPlan {
    private(set) var outcomes: [Outcome] = []
    var balances: RunningBalances
    var operations: [NewOperation] = []
    /// Accounts because of whose status something was rejected and that were not read for this plan.
    private(set) var staleAccounts: Set<AccountMemory.Place> = []
    /// Accounts that lack money and may have older trades waiting.
    var shortOfFunds: Set<Identifier> = []
    /// The markets in which something is settled or rejected, and those in which everything waits since they are
    /// halted.
    private(set) var judgedMarkets: Set<MarketNumber> = []
    private var latestMarket: MarketNumber?
    private(set) var haltedMarkets: Set<MarketNumber> = []
    /// Accounts and markets that were missing.
    var unknownAccounts: Set<Identifier> = []
    var unknownMarkets: Set<MarketSymbol> = []
    /// Open letters of trades that the batch settles.
    private(set) var resolvedLetters: Set<Int64> = []
    /// Who lacked money for the item at hand.
    var lacksMoney: Identifier?
    var decidedOperations: [Identifier: Operation] = [:]
    /// Why nothing of the batch is to be settled; nil in the usual case.
    let parking: Rejection?

    private let batch: [SettlementItem]
    /// Which item is at hand, and what it touches.
    private var itemIndex = 0
    private(set) var places = ItemPlaces()
    /// The trades of the batch whose ids are taken by now, by their place in it.
    private var decidedTrades: HashedPlaces
    /// Accounts whose trades this batch makes wait, and the place in line of the first of these.
    private var deferredAccounts: [Identifier: Int64] = [:]

    /// - Parameter parking: everything that was not decided before is rejected for this reason.
    init(_ batch: [SettlementItem], on books: Books, parking: Rejection? = nil) {
        self.batch = batch
        self.parking = parking
        balances = RunningBalances(itemCount: batch.count)
        decidedTrades = HashedPlaces(countMax: batch.count)
        outcomes.reserveCapacity(batch.count)
        for index in batch.indices {
            itemIndex = index
            places = books.places[index]
            outcomes.append(decide(batch[index], books))
        }
    }

    /// Whether a trade or an operation is rejected.
    var hasRejections: Bool { outcomes.contains { if case .rejected = $0 { true } else { false } } }

    /// Whether it rests on nothing that was only remembered.
    var isOnFreshGrounds: Bool { balances.stale.isEmpty && staleAccounts.isEmpty }

    private mutating func decide(_ item: SettlementItem, _ books: Books) -> Outcome {
        balances.begin()
        lacksMoney = nil
        return switch item.subject {
        case .refused(let refused): isGone(item, books) ? .duplicate : .rejected(refused.rejection)
        case .trade(let trade): decide(trade, item.receivedSequence, books)
        case .operation(let operation): decide(operation, item.place, books)
        }
    }

    /// Whether a claimed row waits no longer: somebody else decided it, or took it away.
    private func isGone(_ item: SettlementItem, _ books: Books) -> Bool {
        guard item.receivedSequence != nil, let key = item.tradeKey, books.claimsAreKnown else { return false }
        guard let recorded = books.trades[key] else { return true }
        return recorded.status != .pending || recorded.receivedSequence != item.receivedSequence
    }

    /// - Parameter received: the place in line of a row that waited; nil for a message.
    private mutating func decide(_ trade: Trade, _ received: Int64?, _ books: Books) -> Outcome {
        let sameTrade = decidedTrades.find(places.tradeHash) { index in
            books.places[Int(index)].tradeHash == places.tradeHash && batch[Int(index)].tradeKey == trade.key
        }
        if let sameTrade, let earlier = batch[Int(sameTrade)].trade {
            return earlier.hasSameContent(as: trade) ? .duplicate : .rejected(trade.conflict(with: earlier))
        }
        let isClaimedRow = received != nil
        if !books.trades.isEmpty, let recorded = books.trades[trade.key] {
            switch recorded.status {
            // Retried or stored anew since it was claimed, perhaps with other content: that is another claim's affair.
            case .pending where isClaimedRow && recorded.receivedSequence != received: return .duplicate
            case .pending where isClaimedRow: break
            case _ where isClaimedRow || recorded.trade?.hasSameContent(as: trade) == true:
                guard let batch = recorded.batch, batch == books.lostBatch else { return .duplicate }
                decidedTrades.insert(Int32(itemIndex), under: places.tradeHash)
                return recorded.status == .settled
                    ? .settled : .rejected(Rejection(.invalid, "parked; its dead letter says why"))
            default:
                return .rejected(trade.conflict(with: recorded.trade))
            }
        } else if isClaimedRow, books.claimsAreKnown {
            return .duplicate
        }
        let letterWithoutRow = books.lettersWithoutRow[trade]
        if let letterWithoutRow, letterWithoutRow.isDecided {
            return isClaimedRow ? .rejected(letterWithoutRow.rejection) : .duplicate
        }
        let outcome = decideNew(trade, received, books)
        if let letterWithoutRow, outcome == .settled { resolvedLetters.insert(letterWithoutRow.number) }
        // What takes no id in the books stands in nobody's way, in the batch as little as after it.
        if case .rejected(let rejection) = outcome, !isClaimedRow, !rejection.failureClass.claimsTradeID {
            return outcome
        }
        decidedTrades.insert(Int32(itemIndex), under: places.tradeHash)
        return outcome
    }

    private mutating func decideNew(_ trade: Trade, _ received: Int64?, _ books: Books) -> Outcome {
        if let parking { return .rejected(parking) }
        // A message has no place yet; it comes after all that have one, and after the messages before it.
        let received = received ?? .max
        let market = books.market(of: places)
        if books.isHeld(in: market) {
            if let market, market.isHalted { haltedMarkets.insert(market.number) }
            return deferred(trade, received)
        }
        if let market { noteJudged(in: market.number) }
        do {
            try settle(trade, in: market, books)
            return .settled
        } catch {
            balances.takeBack()
            if error.failureClass == .insufficientFunds, let lacksMoney, mustWait(for: lacksMoney, received, books) {
                return deferred(trade, received)
            }
            return .rejected(error)
        }
    }

    private mutating func deferred(_ trade: Trade, _ received: Int64) -> Outcome {
        for account in [trade.buyer, trade.seller] {
            deferredAccounts[account] = min(deferredAccounts[account] ?? .max - 1, received)
        }
        return .deferred
    }

    /// Whether an older trade of the account that lacks money is still waiting, and may bring it.
    private func mustWait(for account: Identifier, _ received: Int64, _ books: Books) -> Bool {
        if (deferredAccounts[account] ?? .max) < received || (books.oldestWaiting[account] ?? .max) < received {
            return true
        }
        for item in batch[(itemIndex + 1)...] {
            if let sequence = item.receivedSequence, sequence < received, item.accounts.contains(account) {
                return true
            }
        }
        return false
    }

    /// Something is rejected because of the account's status.
    mutating func judge(_ place: AccountMemory.Place, _ books: Books) {
        if !books.memory.isFresh(account: place) { staleAccounts.insert(place) }
    }

    /// Something is decided in a market. Most batches are of one, so the set is seldom asked.
    private mutating func noteJudged(in market: MarketNumber) {
        if market != latestMarket { judgedMarkets.insert(market) }
        latestMarket = market
    }
}

extension LetterWithoutRow {
    /// Why a row that says the same is not settled. It is the letter's from then on, and a retry of that settles it.
    fileprivate var rejection: Rejection {
        Rejection(
            .conflict, "an operator has \(status == .discarded ? "discarded" : "edited") this as dead letter \(number)")
    }
}
