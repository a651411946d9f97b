import HashChain

/// The keys of all deposits and withdrawals that were accepted, so that each has effect once.
///
/// They are never forgotten, as settlement never forgets them: 24 bytes each, and 16 more to find them.
struct OperationKeys: ~Copyable {
    struct Key: BitwiseCopyable, Equatable {
        var low: UInt64
        var high: UInt64
        /// The hash of what the operation was.
        var content: UInt64
    }

    private(set) var keys: [Key] = []
    private var index = HashIndex()

    init() {}

    static func key(_ text: UnsafeRawBufferPointer, content: UInt64) -> Key {
        let digest = HashChain.digest(text, seed: 0)
        return Key(low: digest.low, high: digest.high, content: content)
    }

    /// The key as it was used before; nil where it is new.
    func find(_ key: Key) -> Key? {
        index.find(key.high) { keys[Int($0)].low == key.low && keys[Int($0)].high == key.high }.map { keys[Int($0)] }
    }

    mutating func insert(_ key: Key) {
        index.insert(key.high, UInt32(keys.count))
        keys.append(key)
    }
}
