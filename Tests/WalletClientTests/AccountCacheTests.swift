import Repository
import Testing
import TradeModel

@testable import WalletClient

@Suite struct AccountCacheTests {
    private func id(_ number: Int) -> Identifier { Identifier("customer-\(number)")! }

    @Test func `accounts and balances are found again as they were put in, through all growth`() {
        var cache = AccountCache.Contents(countMax: 10_000)
        let balances = [
            Balance(available: 7, version: 3, isStored: true),
            Balance(available: 7, frozen: 2, version: 4, isStored: true),
            Balance(available: -5, version: 1, lowest: -10, isStored: true), Balance(), Balance(lowest: nil),
        ]
        for number in 0..<2_000 {
            let place = cache.place(of: id(number))
            cache.set(
                Account(number: Int64(number), id: id(number), status: number % 3 == 0 ? .frozen : .active), at: place)
            for asset in 1...3 { cache.set(balances[(number + asset) % 5], of: place, in: Int32(asset)) }
        }
        for number in 0..<2_000 {
            let place = cache.place(of: id(number))
            #expect(
                cache.account(at: place)
                    == Account(number: Int64(number), id: id(number), status: number % 3 == 0 ? .frozen : .active))
            for asset in 1...3 { #expect(cache.balance(of: place, in: Int32(asset)) == balances[(number + asset) % 5]) }
            #expect(cache.balance(of: place, in: 4) == nil)
        }
    }

    @Test func `a balance that becomes usual again is`() {
        var cache = AccountCache.Contents(countMax: 10)
        let place = cache.place(of: id(1))
        for balance in [
            Balance(frozen: 1, isStored: true), Balance(available: 1, version: 2, isStored: true), Balance(),
        ] {
            cache.set(balance, of: place, in: 1)
            #expect(cache.balance(of: place, in: 1) == balance)
        }
    }

    @Test func `an account that nobody has found is unknown, and so is one that is gone`() {
        var cache = AccountCache.Contents(countMax: 10)
        let place = cache.place(of: id(1))
        #expect(cache.account(at: place) == nil)
        cache.set(Account(number: 1, id: id(1)), at: place)
        cache.set(nil, at: place)
        #expect(cache.account(at: place) == nil)
    }

    @Test func `with too much in it everything is forgotten, and a batch in work puts nothing in wrong places`() {
        let cache = AccountCache(countMax: 3)
        var books = Books(house: -1, world: -2, cache: cache)
        let batch = [trade("A", price: "1", quantity: "1", buyer: "B", seller: "C")]
        books.place(batch)
        for (number, place) in [(1, books.places[0].first), (2, books.places[0].second)] {
            books.memory.set(
                account: Account(number: Int64(number), id: books.memory.accounts[Int(place)].id), at: place)
        }
        cache.contents.withLock { cache in
            for number in 0..<3 { _ = cache.place(of: id(number)) }
            cache.makeRoom()
            for number in 0..<3 { _ = cache.place(of: id(number)) }
        }
        books.keep()
        cache.contents.withLock { cache in
            for number in 0..<3 { #expect(cache.account(at: cache.place(of: id(number))) == nil) }
        }
    }

    @Test func `what one connection knows after its batch the next one knows before its own`() {
        let cache = AccountCache(countMax: 100)
        var first = Books(house: -1, world: -2, cache: cache)
        let batch = [trade("A", price: "1", quantity: "1", buyer: "B", seller: "C")]
        first.place(batch)
        let place = first.places[0].first
        first.memory.set(account: Account(number: 5, id: Identifier("B")!), at: place)
        first.keep()
        var second = Books(house: -3, world: -4, cache: cache)
        second.place(batch)
        #expect(second.memory[account: second.places[0].first]?.number == 5)
        #expect(second.memory[account: second.places[0].second] == nil)
        #expect(second.memory[account: AccountMemory.house]?.number == -3)
    }
}
