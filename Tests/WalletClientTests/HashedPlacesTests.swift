import Testing

@testable import WalletClient

@Suite struct HashedPlacesTests {
    @Test(arguments: [0, 1, 15, 16, 17, 1_000])
    func `as many as were promised are found, also where all hashes are one`(count: Int) {
        for hash in [{ (_: Int32) in 7 }, { Int($0) }, { Int($0) << 32 }, { -Int($0) }] {
            var table = HashedPlaces(countMax: count)
            for place in 0..<Int32(count) { table.insert(place, under: hash(place)) }
            for place in 0..<Int32(count) { #expect(table.find(hash(place)) { $0 == place } == place) }
            #expect(table.find(hash(0)) { $0 == Int32(count) } == nil)
        }
    }

    @Test func `a table grows, and forgets`() {
        var table = HashedPlaces(countMax: 0)
        for place in 0..<Int32(1_000) {
            table.makeRoom(for: Int(place) + 1) { HashedPlaces.hash(of: $0) }
            table.insert(place, under: HashedPlaces.hash(of: place))
        }
        for place in 0..<Int32(1_000) { #expect(table.find(HashedPlaces.hash(of: place)) { $0 == place } == place) }
        table.removeAll()
        #expect(table.find(HashedPlaces.hash(of: 1)) { $0 == 1 } == nil)
    }
}
