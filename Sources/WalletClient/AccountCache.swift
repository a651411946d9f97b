import Repository
import ServiceKit
import TradeModel

/// What the connections of a process remember of accounts and balances, in few bytes each, since there are many.
///
/// It saves reading and decides nothing: a plan on something outdated shows when it is written, or is made anew before
/// anything is refused. So what a batch has changed may be put in before it is committed.
public final class AccountCache: Sendable {
    let contents: Guarded<Contents>

    /// - Parameter countMax: how many accounts, and how many balances, are remembered; with more, all are forgotten.
    public init(countMax: Int) {
        contents = Guarded(Contents(countMax: countMax))
    }

    struct Contents: Sendable {
        typealias Place = Int32
        static let none: Place = -1

        private struct KnownAccount {
            let id: Identifier
            var number: AccountNumber = 0
            var firstBalance = none
            var status = AccountStatus.active
            /// Whether somebody has found it in the database.
            var isKnown = false
        }

        /// A balance of which nothing is frozen, without a credit line.
        private struct KnownBalance {
            var available = Amount.zero
            var version: Int64 = 0
            let asset: AssetNumber
            let nextOfAccount: Place
        }

        private let countMax: Int
        private var accounts: ContiguousArray<KnownAccount> = []
        private var balances: ContiguousArray<KnownBalance> = []
        /// The balances with more to them.
        private var unusual: [Place: Balance] = [:]
        private var placeOfID = HashedPlaces(countMax: 0)
        /// Places are good as long as this is the same.
        private(set) var epoch = 0

        init(countMax: Int) {
            self.countMax = countMax
        }

        /// To be called before a batch: with too much in it, everything is forgotten.
        mutating func makeRoom() {
            if max(accounts.count, balances.count) > countMax { forget() }
        }

        /// Forgets everything; what a batch in work still knows is not put in any more.
        mutating func forget() {
            accounts.removeAll(keepingCapacity: true)
            balances.removeAll(keepingCapacity: true)
            unusual = [:]
            placeOfID.removeAll()
            epoch += 1
        }

        // MARK: Accounts

        /// The place of an account, which gets one if it has none.
        mutating func place(of id: Identifier) -> Place {
            let hash = id.hashValue
            if let place = placeOfID.find(hash, where: { accounts[Int($0)].id == id }) { return place }
            placeOfID.makeRoom(for: accounts.count + 1) { accounts[Int($0)].id.hashValue }
            let place = Place(accounts.count)
            accounts.append(KnownAccount(id: id))
            placeOfID.insert(place, under: hash)
            return place
        }

        func account(at place: Place) -> Account? {
            let known = accounts[Int(place)]
            return known.isKnown ? Account(number: known.number, id: known.id, status: known.status) : nil
        }

        mutating func set(_ account: Account?, at place: Place) {
            accounts[Int(place)].isKnown = account != nil
            guard let account else { return }
            accounts[Int(place)].number = account.number
            accounts[Int(place)].status = account.status
        }

        // MARK: Balances

        /// What is remembered of an account's balance in an asset.
        func balance(of account: Place, in asset: AssetNumber) -> Balance? {
            guard let place = place(of: account, in: asset) else { return nil }
            return unusual.isEmpty ? usual(place) : unusual[place] ?? usual(place)
        }

        mutating func set(_ balance: Balance, of account: Place, in asset: AssetNumber) {
            let place: Place
            if let found = self.place(of: account, in: asset) {
                place = found
            } else {
                place = Place(balances.count)
                balances.append(KnownBalance(asset: asset, nextOfAccount: accounts[Int(account)].firstBalance))
                accounts[Int(account)].firstBalance = place
            }
            balances[Int(place)].available = balance.available
            balances[Int(place)].version = balance.version
            if usual(place) != balance {
                unusual[place] = balance
            } else if !unusual.isEmpty {
                unusual[place] = nil
            }
        }

        private func place(of account: Place, in asset: AssetNumber) -> Place? {
            var place = accounts[Int(account)].firstBalance
            while place >= 0 {
                if balances[Int(place)].asset == asset { return place }
                place = balances[Int(place)].nextOfAccount
            }
            return nil
        }

        private func usual(_ place: Place) -> Balance {
            let known = balances[Int(place)]
            return Balance(available: known.available, version: known.version, isStored: true)
        }
    }
}
