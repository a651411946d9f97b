import HashChain

/// The owners' ids of all open orders and of the last that ended, so that none is taken twice.
///
/// An id is kept as 128 bits of hash over account and text.
struct RememberedIDs: ~Copyable {
    let endedCountMax: Int
    private var ended: UnsafeMutablePointer<ClientKey>
    /// The ring has room for so many; it grows until it has it for all that are to be remembered.
    private(set) var capacity: Int
    /// How many ended in all; the ring holds the last of them.
    private(set) var endedCount = 0
    /// Where the next that ends goes in the ring.
    private var nextPlace = 0
    private var index: HashIndex

    init(endedCountMax: Int) {
        self.endedCountMax = endedCountMax
        // What a snapshot asks for must not take more memory than what it brings.
        capacity = max(1, min(endedCountMax, Self.capacityAtFirst))
        ended = Self.ring(capacity)
        index = HashIndex(capacity: capacity)
    }

    deinit { ended.deallocate() }

    private static let capacityAtFirst = 1 << 16

    private static func ring(_ capacity: Int) -> UnsafeMutablePointer<ClientKey> {
        let ring = Memory.take(capacity, of: ClientKey.self)
        ring.initialize(repeating: .none, count: capacity)
        return ring
    }

    enum Found {
        case open(Int32)
        case ended
    }

    static func key(_ account: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> ClientKey {
        key(AccountBook.hash(of: account), text)
    }

    /// - Parameter account: the hash of its id.
    @inline(__always) static func key(_ account: UInt64, _ text: UnsafeRawBufferPointer) -> ClientKey {
        let digest = HashChain.digest(text, seed: account)
        return ClientKey(low: digest.low, high: digest.high)
    }

    @inline(__always) func find(_ key: ClientKey, _ orders: borrowing Slab<RestingOrder>) -> Found? {
        let found = index.find(key.high) { number in
            let place = Int(number >> 1)
            return (number & 1 == 0 ? orders.base[place].client : ended[place]) == key
        }
        guard let found else { return nil }
        return found & 1 == 0 ? .open(Int32(bitPattern: found >> 1)) : .ended
    }

    /// The open order that most likely has an id.
    @inline(__always) func likelyOrder(_ key: ClientKey) -> Int32? {
        guard let number = index.likely(key.high), number & 1 == 0 else { return nil }
        return Int32(bitPattern: number >> 1)
    }

    @inline(__always) func bringNear(_ key: ClientKey) { index.bringNear(key.high) }

    mutating func open(_ key: ClientKey, _ order: Int32) {
        index.insert(key.high, UInt32(bitPattern: order) << 1)
    }

    /// The order left its place, but it has not ended.
    mutating func close(_ key: ClientKey, _ order: Int32) {
        index.remove(key.high, UInt32(bitPattern: order) << 1)
    }

    /// An order of the book ended: the oldest of the ring makes room for it.
    mutating func end(_ key: ClientKey, _ order: Int32) {
        guard endedCountMax > 0 else { return close(key, order) }
        let place = makeRoom()
        ended[place] = key
        index.replace(key.high, UInt32(bitPattern: order) << 1, by: UInt32(place) << 1 | 1)
    }

    /// An order ended that never was in the book.
    mutating func end(_ key: ClientKey) {
        guard endedCountMax > 0 else { return }
        let place = makeRoom()
        ended[place] = key
        index.insert(key.high, UInt32(place) << 1 | 1)
    }

    private mutating func makeRoom() -> Int {
        let place = nextPlace
        if place + 1 == capacity, capacity < endedCountMax { grow() }
        if endedCount >= endedCountMax { index.remove(ended[place].high, UInt32(place) << 1 | 1) }
        endedCount += 1
        nextPlace = place + 1 < endedCountMax ? place + 1 : 0
        // It is there when the next id makes room.
        index.bringNear(ended[nextPlace].high)
        return place
    }

    /// Nothing was overwritten before: the ring goes round only once it has all its room.
    @inline(never) private mutating func grow() {
        let larger = min(capacity * 2, endedCountMax)
        let moved = Self.ring(larger)
        moved.update(from: ended, count: capacity)
        ended.deallocate()
        (ended, capacity) = (moved, larger)
    }

    /// Those that ended and are remembered, the oldest first.
    var remembered: [ClientKey] {
        (max(0, endedCount - endedCountMax)..<endedCount).map { ended[$0 % endedCountMax] }
    }
}
