import HashChain
import TradeModel

/// The accounts by their ids, and what each has of each asset.
struct AccountBook: ~Copyable {
    struct Account: BitwiseCopyable {
        var textOffset: Int
        var textCount: UInt8
        var tier: UInt8 = 0
    }

    struct Balance: BitwiseCopyable {
        var account: Int32
        var asset: Int32
        var available: Int128 = 0
        var held: Int128 = 0
    }

    static let accountLimit = 1 << 27

    private(set) var accounts = Slab<Account>()
    private var accountIndex = HashIndex()
    private var texts: UnsafeMutableRawPointer = .allocate(byteCount: 4_096, alignment: 16)
    private var textCapacity = 4_096
    private var textCount = 0
    private(set) var balances = Slab<Balance>()
    private var balanceIndex = HashIndex()

    init() {}

    deinit { texts.deallocate() }

    func text(_ account: Int32) -> UnsafeRawBufferPointer {
        let record = accounts[account]
        return UnsafeRawBufferPointer(start: texts + record.textOffset, count: Int(record.textCount))
    }

    func find(_ text: UnsafeRawBufferPointer) -> Int32? {
        accountIndex.find(HashChain.checksum(text)) { isSame(self.text(Int32(bitPattern: $0)), text) }
            .map { Int32(bitPattern: $0) }
    }

    mutating func open(_ text: UnsafeRawBufferPointer) -> Int32 {
        if textCapacity - textCount < text.count {
            let moved = UnsafeMutableRawPointer.allocate(byteCount: textCapacity * 2, alignment: 16)
            moved.copyMemory(from: texts, byteCount: textCount)
            texts.deallocate()
            (texts, textCapacity) = (moved, textCapacity * 2)
        }
        if let start = text.baseAddress { (texts + textCount).copyMemory(from: start, byteCount: text.count) }
        let account = accounts.insert(Account(textOffset: textCount, textCount: UInt8(text.count)))
        textCount += text.count
        accountIndex.insert(HashChain.checksum(text), UInt32(bitPattern: account))
        return account
    }

    func balance(_ account: Int32, _ asset: Int32) -> Int32? {
        balanceIndex.find(Self.hash(account, asset)) {
            let balance = balances.base + Int($0)
            return balance.pointee.account == account && balance.pointee.asset == asset
        }.map { Int32(bitPattern: $0) }
    }

    /// The place of a balance, which is made where there is none.
    mutating func openBalance(_ account: Int32, _ asset: Int32) -> Int32 {
        if let place = balance(account, asset) { return place }
        let place = balances.insert(Balance(account: account, asset: asset))
        balanceIndex.insert(Self.hash(account, asset), UInt32(bitPattern: place))
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
    var index = 0
    while index + 8 <= left.count {
        guard
            left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                == right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        else { return false }
        index += 8
    }
    while index < left.count {
        guard left[index] == right[index] else { return false }
        index += 1
    }
    return true
}
