import HashChain
import TradeModel

/// The accounts by their ids, and what each has of each asset.
struct AccountBook: ~Copyable {
    /// One cache line: the id, and where the account's balances of the assets are that were listed first.
    struct Account: BitwiseCopyable {
        /// The id where it is short; otherwise its place among the long ones.
        var text = InlineArray<3, UInt64>(repeating: 0)
        var balances = InlineArray<8, Int32>(repeating: -1)
        var textCount: UInt8
        var tier: UInt8 = 0

        static let shortCountMax = 24
        static let directAssetCount: Int32 = 8
    }

    struct Balance: BitwiseCopyable {
        var available: Int128 = 0
        var held: Int128 = 0
    }

    struct BalanceKey: BitwiseCopyable, Equatable {
        var account: Int32
        var asset: Int32
    }

    static let accountLimit = 1 << 27

    private(set) var accounts = Slab<Account>()
    private var accountIndex = HashIndex()
    private var longTexts: [UnsafeMutableRawPointer] = []
    private(set) var balances = Slab<Balance>()
    /// Whose the balances are, apart from them, since that is seldom asked.
    private(set) var balanceKeys = Slab<BalanceKey>()
    private var balanceIndex = HashIndex()

    init() {}

    deinit { for text in longTexts { text.deallocate() } }

    @inline(__always) func text(_ account: Int32) -> UnsafeRawBufferPointer {
        // The id is what an account's record begins with.
        let record = accounts.base + Int(account)
        let count = Int(record.pointee.textCount)
        let start = UnsafeRawPointer(record)
        if count <= Account.shortCountMax { return UnsafeRawBufferPointer(start: start, count: count) }
        return UnsafeRawBufferPointer(start: longTexts[start.load(as: Int.self)], count: count)
    }

    /// Writes an account's id with its length, and for none an empty one.
    @inline(__always) func writeID(of account: Int32?, to cursor: inout ByteCursor) {
        guard let account else { return cursor.byte(0) }
        let record = accounts.base + Int(account)
        let count = Int(record.pointee.textCount)
        cursor.byte(record.pointee.textCount)
        if count <= Account.shortCountMax {
            cursor.words(UnsafeRawPointer(record), count)
        } else {
            cursor.raw(text(account))
        }
    }

    /// Prepares for looking for an account.
    @inline(__always) func bringNear(_ hash: UInt64) { accountIndex.bringNear(hash) }

    /// The account that is most likely found there.
    @inline(__always) func likelyAccount(_ hash: UInt64) -> Int32? {
        accountIndex.likely(hash).map { Int32(bitPattern: $0) }
    }

    /// Prepares for looking at what an account has.
    @inline(__always) func bringBalancesNear(of account: Int32) {
        let places = accounts.base[Int(account)].balances
        for asset in places.indices where places[asset] >= 0 { balances.bringNear(places[asset]) }
    }

    /// What an account is found by, and its owner's ids of orders.
    @inline(__always) static func hash(of text: UnsafeRawBufferPointer) -> UInt64 { HashChain.checksum(text) }

    @inline(__always) func find(_ text: UnsafeRawBufferPointer) -> Int32? { find(text, Self.hash(of: text)) }

    @inline(__always) func find(_ text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int32? {
        accountIndex.find(hash) { isSame(self.text(Int32(bitPattern: $0)), text) }.map { Int32(bitPattern: $0) }
    }

    mutating func open(_ text: UnsafeRawBufferPointer) -> Int32 {
        let account = accounts.insert(Account(textCount: UInt8(text.count)))
        var start = UnsafeMutableRawPointer(accounts.base + Int(account))
        if text.count > Account.shortCountMax {
            start.storeBytes(of: longTexts.count, as: Int.self)
            start = .allocate(byteCount: text.count, alignment: 8)
            longTexts.append(start)
        }
        UnsafeMutableRawBufferPointer(start: start, count: text.count).copyMemory(from: text)
        accountIndex.insert(Self.hash(of: text), UInt32(bitPattern: account))
        return account
    }

    @inline(__always) func balance(_ account: Int32, _ asset: Int32) -> Int32? {
        if asset < Account.directAssetCount {
            let place = accounts.base[Int(account)].balances[Int(asset)]
            return place < 0 ? nil : place
        }
        return Self.find(BalanceKey(account: account, asset: asset), by: balanceIndex, balanceKeys.base)
    }

    @inline(never) private static func find(
        _ key: BalanceKey, by index: borrowing HashIndex, _ keys: UnsafePointer<BalanceKey>
    ) -> Int32? {
        index.find(hash(key.account, key.asset)) { keys[Int($0)] == key }.map { Int32(bitPattern: $0) }
    }

    /// The place of a balance, which is made where there is none.
    mutating func openBalance(_ account: Int32, _ asset: Int32) -> Int32 {
        if let place = balance(account, asset) { return place }
        let place = balances.insert(Balance())
        _ = balanceKeys.insert(BalanceKey(account: account, asset: asset))
        if asset < Account.directAssetCount {
            accounts.base[Int(account)].balances[Int(asset)] = place
        } else {
            balanceIndex.insert(Self.hash(account, asset), UInt32(bitPattern: place))
        }
        return place
    }

    private static func hash(_ account: Int32, _ asset: Int32) -> UInt64 {
        spread(UInt64(UInt32(bitPattern: account)) << 32 | UInt64(UInt32(bitPattern: asset)))
    }
}

/// Spreads numbers that follow each other over all 64 bits.
@inline(__always) func spread(_ number: UInt64) -> UInt64 {
    let mixed = (number ^ number >> 32) &* 0x9e37_79b9_7f4a_7c15
    return (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9
}

/// Whether two texts have the same bytes.
@inline(__always) func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    // The last word, or half of one, may reach back over what was compared already.
    func isSame<Word: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as word: Word.Type) -> Bool {
        left.loadUnaligned(fromByteOffset: offset, as: word) == right.loadUnaligned(fromByteOffset: offset, as: word)
    }
    let count = left.count
    if count >= 8 {
        var index = 0
        while index + 8 < count {
            guard isSame(index, as: UInt64.self) else { return false }
            index += 8
        }
        return isSame(count - 8, as: UInt64.self)
    }
    if count >= 4 { return isSame(0, as: UInt32.self) && isSame(count - 4, as: UInt32.self) }
    for index in 0..<count where left[index] != right[index] { return false }
    return true
}
