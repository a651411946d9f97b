import Repository
import TradeModel

/// What is known of the database when a batch is planned. Accounts and balances may be remembered from earlier
/// batches; those that are fresh were read for this plan.
struct Books {
    var catalog = Catalog()
    var memory: AccountMemory
    private let cache: AccountCache
    /// What the items of the batch at hand touch.
    private(set) var places: ContiguousArray<ItemPlaces> = []
    var holds: [OrderKey: Hold] = [:]
    var trades: [TradeKey: RecordedTrade] = [:]
    /// Whether `trades` holds all of the batch's trades that exist.
    var claimsAreKnown = false
    /// Whether what was decided before is left out of account, to predict what a retry would bring.
    var ignoresClaims = false
    /// Letters without a row that say the same as trades of the batch.
    var lettersWithoutRow: [Trade: LetterWithoutRow] = [:]
    var operations: [Identifier: RecordedOperation] = [:]
    /// The place in line of the oldest PENDING trade of an account, outside the batch at hand.
    var oldestWaiting: [Identifier: Int64] = [:]
    /// An earlier attempt at this batch whose commit was not answered.
    var lostBatch: BatchNumber?
    /// Whether nothing is settled, and trades are stored to wait.
    var storesOnly = false

    /// - Parameters:
    ///   - house: the stripe of the house that this connection books to.
    ///   - world: the same of the outside world.
    ///   - cache: what is remembered from batch to batch.
    init(house: AccountNumber, world: AccountNumber, cache: AccountCache) {
        self.cache = cache
        memory = AccountMemory(house: house, world: world)
    }

    /// Whether a trade is only stored, to wait: its market is halted, or nothing is settled any more.
    func isHeld(in market: Market?) -> Bool {
        guard let market else { return false }
        return market.isHalted || storesOnly
    }

    /// The market of an item's trade; nil when there is none.
    func market(of item: ItemPlaces) -> Market? { item.market < 0 ? nil : catalog.marketList[Int(item.market)] }

    // MARK: Places

    /// Looks up what the items name. Accounts that were never read have places afterwards, and are to be read.
    mutating func place(_ batch: [SettlementItem]) {
        let cache = cache
        cache.contents.withLock { place(batch, recalling: &$0) }
    }

    /// Gives places to the balances that the batch may touch, as far as their accounts are known.
    mutating func placeBalances(_ batch: [SettlementItem]) {
        let cache = cache
        cache.contents.withLock { placeBalances(batch, recalling: $0) }
    }

    /// Lets the batches that come next know what is known now.
    mutating func keep() {
        let cache = cache
        cache.contents.withLock { memory.keep(in: &$0) }
    }

    private mutating func place(_ batch: [SettlementItem], recalling cache: inout AccountCache.Contents) {
        cache.makeRoom()
        memory.begin(itemCount: batch.count, epoch: cache.epoch)
        places.removeAll(keepingCapacity: true)
        places.reserveCapacity(batch.count)
        // Most batches are of one market.
        var latest: (symbol: MarketSymbol, place: Int32)?
        for item in batch {
            var found = ItemPlaces()
            switch item.subject {
            case .trade(let trade):
                if latest?.symbol != trade.market { latest = (trade.market, catalog.place(of: trade.market) ?? -1) }
                found.market = latest!.place
                found.first = memory.place(of: trade.buyer, recalling: &cache)
                found.second = memory.place(of: trade.seller, recalling: &cache)
                found.tradeHash = trade.key.hashValue
            case .operation(let operation):
                found.first = memory.place(of: operation.account, recalling: &cache)
            case .refused:
                break
            }
            places.append(found)
        }
    }

    private mutating func placeBalances(_ batch: [SettlementItem], recalling cache: borrowing AccountCache.Contents) {
        func place(_ account: AccountMemory.Place, _ asset: AssetNumber) -> AccountMemory.Place {
            memory.place(ofBalance: account, in: asset, recalling: cache)
        }
        for index in batch.indices {
            let found = places[index]
            switch batch[index].subject {
            case .trade:
                guard let market = market(of: found), memory[account: found.first] != nil,
                    memory[account: found.second] != nil
                else { continue }
                let (base, quote) = (market.base.number, market.quote.number)
                places[index][.firstBase] = place(found.first, base)
                places[index][.firstQuote] = place(found.first, quote)
                places[index][.secondBase] = place(found.second, base)
                places[index][.secondQuote] = place(found.second, quote)
                places[index][.insideBase] = place(AccountMemory.house, base)
                places[index][.insideQuote] = place(AccountMemory.house, quote)
            case .operation(let operation):
                guard let asset = catalog.assets[operation.asset], memory[account: found.first] != nil else { continue }
                places[index][.firstBase] = place(found.first, asset.number)
                places[index][.insideBase] = place(AccountMemory.world, asset.number)
            case .refused: continue
            }
        }
    }

    /// The places of the accounts that the batch names and that are as asked for.
    func accountPlaces(where isMeant: (Account?) -> Bool = { _ in true }) -> Set<AccountMemory.Place> {
        var found: Set<AccountMemory.Place> = []
        for item in places {
            for place in [item.first, item.second] where place >= 0 && isMeant(memory[account: place]) {
                found.insert(place)
            }
        }
        return found
    }

    /// The places of the balances that the batch may touch and that are as asked for.
    func balancePlaces(
        where isMeant: (AccountMemory.RememberedBalance) -> Bool = { _ in true }
    ) -> Set<AccountMemory.Place> {
        var found: Set<AccountMemory.Place> = []
        for item in places {
            for leg in item.balances.indices {
                let place = item.balances[leg]
                if place >= 0, isMeant(memory[balance: place]) { found.insert(place) }
            }
        }
        return found
    }

    /// Whether a market or an asset is named that the catalog does not know.
    func namesUnknown(_ batch: [SettlementItem]) -> Bool {
        for index in batch.indices {
            switch batch[index].subject {
            case .trade: if places[index].market < 0 { return true }
            case .operation(let operation): if catalog.assets[operation.asset] == nil { return true }
            case .refused: continue
            }
        }
        return false
    }
}

/// Where in the books an item finds what it touches.
struct ItemPlaces {
    typealias Place = AccountMemory.Place

    /// Whose balance in what. An operation has one of its account and one of the outside world.
    enum Leg: Int, CaseIterable {
        case firstBase, firstQuote, secondBase, secondQuote, insideBase, insideQuote
    }

    fileprivate(set) var market: Int32 = -1
    /// The buyer, or the account of an operation.
    fileprivate(set) var first = AccountMemory.none
    /// The seller, who may be the buyer.
    fileprivate(set) var second = AccountMemory.none
    fileprivate(set) var balances: [6 of Place] = InlineArray(repeating: AccountMemory.none)
    fileprivate(set) var tradeHash = 0

    fileprivate(set) subscript(_ leg: Leg) -> Place {
        get { balances[leg.rawValue] }
        set { balances[leg.rawValue] = newValue }
    }
}
