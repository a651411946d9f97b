import Repository
import TradeModel

/// The accounts and balances that a batch may touch, each under a small number, its place.
///
/// An id is looked up once for each item of a batch; from then on places lead to everything. A place is good until
/// ``begin(itemCount:epoch:)``. What is known of customers is kept in the ``AccountCache``, from batch to batch.
struct AccountMemory {
    typealias Place = Int32
    static let none: Place = -1

    struct RememberedAccount {
        let id: Identifier
        /// nil where there is no such account, or where nobody has looked yet.
        var account: Account?
        fileprivate let cached: AccountCache.Contents.Place
        fileprivate var firstBalance = none
        fileprivate var readIn: UInt32 = 0
    }

    struct RememberedBalance {
        let key: BalanceKey
        var balance: Balance
        fileprivate(set) var isKnown = false
        fileprivate let nextOfAccount: Place
        fileprivate var readIn: UInt32 = 0
    }

    /// The places of the house and of the outside world, whose numbers are known from the beginning.
    static let house: Place = 0
    static let world: Place = 1

    private(set) var accounts: ContiguousArray<RememberedAccount> = []
    private(set) var balances: ContiguousArray<RememberedBalance> = []
    /// The balances of this connection's stripes of the house and the outside world, which no other has.
    private var inside: [BalanceKey: Balance] = [:]
    private var placeOfCached = HashedPlaces(countMax: 0)
    /// When the cache had its accounts where we found them.
    private var epoch = 0
    /// Which plan things are read for; what was read for it is fresh.
    private var reading: UInt32 = 1

    init(house: AccountNumber, world: AccountNumber) {
        for (number, name) in [(house, "house"), (world, "world")] {
            let id = Identifier(stored: name)
            accounts.append(
                RememberedAccount(
                    id: id, account: Account(number: number, id: id), cached: AccountCache.Contents.none))
        }
    }

    /// Begins a batch, with nothing but the house and the outside world. No place is good any more.
    mutating func begin(itemCount: Int, epoch: Int) {
        accounts.removeSubrange(2...)
        for place in accounts.indices { accounts[place].firstBalance = Self.none }
        balances.removeAll(keepingCapacity: true)
        placeOfCached = HashedPlaces(countMax: itemCount * 2)
        self.epoch = epoch
    }

    /// Puts what is known now into the cache, for the next batches.
    mutating func keep(in cache: inout AccountCache.Contents) {
        for account in accounts {
            let isInside = account.cached < 0
            guard isInside || cache.epoch == epoch else { return }
            if !isInside { cache.set(account.account, at: account.cached) }
            var place = account.firstBalance
            while place >= 0 {
                let remembered = balances[Int(place)]
                place = remembered.nextOfAccount
                guard remembered.isKnown else { continue }
                if isInside {
                    inside[remembered.key] = remembered.balance
                } else {
                    cache.set(remembered.balance, of: account.cached, in: remembered.key.asset)
                }
            }
        }
    }

    /// Nothing is fresh any more.
    mutating func beginReading() { reading &+= 1 }

    // MARK: Accounts

    /// What is known of an account; also nil for no place.
    subscript(account place: Place) -> Account? { place < 0 ? nil : accounts[Int(place)].account }

    /// The place of an account, which gets one if it has none.
    mutating func place(of id: Identifier, recalling cache: inout AccountCache.Contents) -> Place {
        let cached = cache.place(of: id)
        let hash = HashedPlaces.hash(of: cached)
        if let place = placeOfCached.find(hash, where: { accounts[Int($0)].cached == cached }) { return place }
        let place = Place(accounts.count)
        accounts.append(RememberedAccount(id: id, account: cache.account(at: cached), cached: cached))
        placeOfCached.insert(place, under: hash)
        return place
    }

    func isFresh(account place: Place) -> Bool { accounts[Int(place)].readIn == reading }

    /// Takes over what was read of an account, just now; nil when there is none.
    mutating func set(account: Account?, at place: Place) {
        accounts[Int(place)].account = account
        accounts[Int(place)].readIn = reading
    }

    // MARK: Balances

    subscript(balance place: Place) -> RememberedBalance {
        _read { yield balances[Int(place)] }
    }

    /// The place of an account's balance in an asset, which gets one if it has none. The account must be known.
    mutating func place(
        ofBalance account: Place, in asset: AssetNumber, recalling cache: borrowing AccountCache.Contents
    ) -> Place {
        let first = accounts[Int(account)].firstBalance
        var place = first
        while place >= 0 {
            if balances[Int(place)].key.asset == asset { return place }
            place = balances[Int(place)].nextOfAccount
        }
        guard let number = accounts[Int(account)].account?.number else {
            preconditionFailure("a balance is of an account")
        }
        place = Place(balances.count)
        let key = BalanceKey(account: number, asset: asset)
        let known =
            if accounts[Int(account)].cached < 0 {
                inside[key]
            } else if cache.epoch == epoch {
                cache.balance(of: accounts[Int(account)].cached, in: asset)
            } else {
                Balance?.none
            }
        balances.append(
            RememberedBalance(
                key: key, balance: known ?? noBalance(of: number), isKnown: known != nil, nextOfAccount: first))
        accounts[Int(account)].firstBalance = place
        return place
    }

    /// A balance without a row. Customers have no credit before somebody gives it to them; house and world need none.
    private func noBalance(of account: AccountNumber) -> Balance {
        let isInside = [Self.house, Self.world].contains { accounts[Int($0)].account?.number == account }
        return Balance(lowest: isInside ? nil : .zero)
    }

    func isFresh(balance place: Place) -> Bool { balances[Int(place)].readIn == reading }

    /// Takes over a balance as it is after a write.
    mutating func update(_ balance: Balance, at place: Place) {
        balances[Int(place)].balance = balance
        balances[Int(place)].isKnown = true
    }

    /// Takes over what was read of a balance, just now. That there is no row is worth remembering too: the house has
    /// none where no fee was ever paid.
    mutating func set(balance: Balance?, at place: Place) {
        update(balance ?? noBalance(of: balances[Int(place)].key.account), at: place)
        balances[Int(place)].readIn = reading
    }
}
