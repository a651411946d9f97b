import TradeEngine
import TradeModel

/// Copies of all balances, each at one record, for those who read them page by page while the engine goes on.
///
/// There are a few at most, and each goes when nobody has read in it for a while.
struct BalanceCopies {
    typealias Instant = ContinuousClock.Instant

    private struct Kept {
        let number: Int64
        let copy: BalanceCopy
        var readAt: Instant
    }

    static let countMax = 3
    static let idleTime = Duration.seconds(30)

    private var kept: [Kept] = []
    private var lastNumber: Int64 = 0

    var count: Int { kept.count }

    /// Answers any question; those about all balances from a copy, which the first page makes.
    mutating func answer(
        _ query: EngineQuery, _ engine: borrowing MatchingEngine, of stream: Identifier, now: Instant = .now
    ) -> EngineAnswer {
        var answer = engine.answer(query, of: stream)
        guard query.about == .balances else { return answer }
        guard let number = query.copy ?? take(engine, now),
            let index = kept.firstIndex(where: { $0.number == number })
        else { return answer }
        kept[index].readAt = now
        answer.balances = engine.page(of: kept[index].copy, number, from: max(0, query.from ?? 0))
        return answer
    }

    mutating func dropIdle(now: Instant) {
        kept.removeAll { now - $0.readAt >= Self.idleTime }
    }

    /// Whoever asks while nothing has changed shares a copy; otherwise the one that was read in longest ago makes room.
    private mutating func take(_ engine: borrowing MatchingEngine, _ now: Instant) -> Int64? {
        let sequence = engine.sequence
        if let same = kept.first(where: { $0.copy.sequence == sequence }) { return same.number }
        if kept.count == Self.countMax, let oldest = kept.indices.min(by: { kept[$0].readAt < kept[$1].readAt }) {
            kept.remove(at: oldest)
        }
        lastNumber += 1
        kept.append(Kept(number: lastNumber, copy: engine.copyBalances(), readAt: now))
        return lastNumber
    }
}

extension MatchingEngine {
    fileprivate borrowing func page(of copy: BalanceCopy, _ number: Int64, from first: Int) -> EngineAnswer.Balances {
        let assets = listedAssets.prefix(copy.house.count)
        var page = EngineAnswer.Balances(
            copy: number, sequence: Int64(copy.sequence), hash: copy.hash.hexadecimal,
            assets: assets.map(\.symbol.text),
            house: zip(copy.house, assets).map { Self.text($0, $1.decimals) }, accounts: [], accountColumn: [],
            assetColumn: [], availableColumn: [], heldColumn: [])
        var account = min(first, copy.accountCount)
        var lookups = 0
        while account < copy.accountCount, lookups < EngineQuery.balanceLookupsMax,
            page.accountColumn.count < EngineQuery.balanceCountMax
        {
            lookups += assets.count + 1
            let place = page.accounts.count
            page.accounts.append(accountID(account))
            forEachBalance(of: account, in: copy) { asset, balance in
                page.accountColumn.append(place)
                page.assetColumn.append(asset)
                page.availableColumn.append(Self.text(balance.available, assets[asset].decimals))
                page.heldColumn.append(Self.text(balance.held, assets[asset].decimals))
            }
            account += 1
        }
        if account < copy.accountCount { page.next = account }
        return page
    }
}
