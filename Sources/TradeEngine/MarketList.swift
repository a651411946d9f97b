import HashChain
import TradeModel

/// A market with its book.
struct MarketState: ~Copyable {
    let number: Int32
    let symbol: MarketSymbol
    let base: Int32
    let quote: Int32
    let rules: MarketRules
    let listing: MarketListing
    var isHalted = false
    var bids: BookSide
    var asks: BookSide
    /// What every record about the market says of its amounts, as bytes, in memory of whole words.
    let scale: UnsafeRawPointer
    let scaleByteCount: Int
    /// The symbol's bytes, which a scale begins with behind their count.
    let symbolText: UnsafeRawBufferPointer
    private let fees: InlineArray<16, TradingFees>

    init(_ listing: MarketListing, _ rules: MarketRules, number: Int32, base: Int32, quote: Int32) {
        self.number = number
        symbol = listing.symbol
        self.base = base
        self.quote = quote
        self.rules = rules
        self.listing = listing
        bids = BookSide(.buy, tickMax: rules.tickMax)
        asks = BookSide(.sell, tickMax: rules.tickMax)
        var writer = ByteWriter(capacity: 64)
        MarketScale(
            symbol: listing.symbol, baseDecimals: rules.baseDecimals, quoteDecimals: rules.quoteDecimals,
            priceDecimals: rules.priceDecimals, feeRule: rules.feeRule
        ).write(to: &writer)
        precondition(writer.count <= Self.scaleByteCountMax)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.scaleByteCountMax, alignment: 8)
        copy.copyMemory(from: writer.bytes)
        scale = UnsafeRawPointer(copy.baseAddress!)
        scaleByteCount = writer.count
        symbolText = UnsafeRawBufferPointer(start: scale + 1, count: Int(copy[0]))
        // The highest tier serves for all above it.
        fees = InlineArray { listing.fees[min($0, listing.fees.count - 1)] }
    }

    deinit { scale.deallocate() }

    /// Two symbols, a slash, and five bytes; in whole words.
    static let scaleByteCountMax = 40

    @inline(__always) func fees(tier: UInt8) -> TradingFees { fees[min(Int(tier), MarketListing.feeTierCountMax - 1)] }

    func asset(_ asset: MarketAsset) -> Int32 { asset == .base ? base : quote }
}

/// The markets by their symbols. A market stays where it is, so that a pointer to it holds.
struct MarketList: ~Copyable {
    private var states: [UnsafeMutablePointer<MarketState>] = []
    private var index = HashIndex()

    static let countMax = 10_000

    init() {}

    deinit {
        for state in states {
            state.deinitialize(count: 1)
            state.deallocate()
        }
    }

    var count: Int { states.count }

    subscript(market: Int32) -> UnsafeMutablePointer<MarketState> { states[Int(market)] }

    func find(_ symbol: UnsafeRawBufferPointer) -> Int32? {
        let found = index.find(HashChain.checksum(symbol)) { number in
            isSame(states[Int(number)].pointee.symbolText, symbol)
        }
        return found.map { Int32(bitPattern: $0) }
    }

    mutating func add(_ state: consuming MarketState) {
        let symbol = Array(state.symbol.text.utf8)
        let place = UnsafeMutablePointer<MarketState>.allocate(capacity: 1)
        place.initialize(to: state)
        symbol.withUnsafeBytes { index.insert(HashChain.checksum($0), UInt32(states.count)) }
        states.append(place)
    }
}
