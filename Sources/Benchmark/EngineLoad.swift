import ServiceKit
import TradeEngine
import TradeModel

/// Commands for an engine, made beforehand from a seed: those that fill its books, and those that are measured.
///
/// Of the measured ones 60 % are orders that go into a book, 30 % cancel one, and 10 % cross: they take several orders
/// each, so that the books stay as deep as they were. An engine carries all of them out while they are made, so that
/// what is cancelled is an order that is open.
struct EngineLoad: ~Copyable {
    static let marketSymbols = ["BTC/USDT", "ETH/USDT"]

    /// All commands' bytes, one behind the other, and where each begins.
    private var bytes = ByteWriter(capacity: 1 << 20)
    private var starts: [Int] = [0]
    /// How many of them come before those that are measured.
    private(set) var preparationCount = 0
    /// What the engine's hash is when all are carried out.
    private(set) var hash: UInt64 = 0
    private(set) var rejectedCount = 0
    private(set) var tradeCount = 0

    private var engine = MatchingEngine()
    private var random: SeededGenerator
    private var open: [OpenOrder] = []
    private var time: Int64 = 1_767_323_045_000_000
    private var clientCount = 0
    private let accounts: [Identifier]
    private let depth: Int

    private struct OpenOrder {
        let number: UInt64
        let account: Identifier
        let client: Identifier
    }

    /// - Parameter depth: how many orders are open, on average.
    init(commandCount: Int, accountCount: Int, depth: Int, seed: UInt64) {
        self.depth = depth
        random = SeededGenerator(seed: seed)
        accounts = (0..<accountCount).map { Identifier(UInt64(100_000 + $0)) }
        prepare()
        preparationCount = starts.count - 1
        let tradesBefore = engine.tradeCount
        for _ in 0..<commandCount { addCommand() }
        hash = engine.hash
        tradeCount = Int(engine.tradeCount - tradesBefore)
        engine = MatchingEngine()
        open = []
    }

    var count: Int { starts.count - 1 }

    subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes.bytes[starts[index]..<starts[index + 1]])
    }

    private mutating func add(_ action: EngineCommand.Action) {
        time += Int64(random.next() % 3)
        EngineCommand(time: Timestamp(microseconds: time), action).write(to: &bytes)
        starts.append(bytes.count)
        do {
            // Byte 9 of a record says whether its command was rejected.
            if try engine.apply(self[count - 1])[9] != 0 { rejectedCount += 1 }
        } catch { preconditionFailure("a command that was just written cannot be read: \(error)") }
    }

    private mutating func prepare() {
        for (symbol, decimals) in [("BTC", 8), ("ETH", 18), ("USDT", 6)] {
            add(.listAsset(symbol: AssetSymbol(symbol)!, decimals: decimals))
        }
        for (index, symbol) in Self.marketSymbols.enumerated() {
            add(
                .listMarket(
                    MarketListing(
                        symbol: MarketSymbol(symbol)!, tick: number(1, 2), lot: number(1, 4),
                        quantityMin: number(1, 4), quantityMax: number(1_000_000, 0), priceMax: number(10_000_000, 0),
                        feeRule: index % 2 == 0 ? .received : .quote, selfTradeRule: .cancelOldest,
                        fees: [TradingFees(maker: 1_000, taker: 2_000), TradingFees(maker: -100, taker: 700)])))
        }
        for account in accounts {
            for asset in ["BTC", "ETH", "USDT"] {
                add(
                    .deposit(
                        Transfer(
                            key: Identifier("\(account)-\(asset)")!, account: account, asset: AssetSymbol(asset)!,
                            amount: number(asset == "USDT" ? 1_000_000_000 : 1_000_000, 0))))
            }
            if random.next() % 4 == 0 { add(.setFeeTier(account: account, tier: 1)) }
        }
        for _ in 0..<depth { addResting() }
    }

    private func number(_ coefficient: Int, _ scale: Int) -> DecimalNumber {
        DecimalNumber(Int128(coefficient), scale: scale)!
    }

    private mutating func draw(_ bound: Int) -> Int {
        Int(random.next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    private mutating func addCommand() {
        let choice = draw(100)
        if choice < 60 {
            addResting()
        } else if choice < 90 {
            addCancel()
        } else {
            addCrossing()
        }
    }

    private mutating func order(_ side: OrderSide) -> OrderRequest {
        clientCount += 1
        return OrderRequest(
            account: accounts[draw(accounts.count)], clientOrderID: Identifier("c-\(clientCount)"),
            market: MarketSymbol(Self.marketSymbols[draw(Self.marketSymbols.count)])!, side: side)
    }

    /// An order away from the middle, most of them near to it.
    private mutating func addResting() {
        let isBuy = draw(2) == 0
        var request = order(isBuy ? .buy : .sell)
        let spread = max(depth, 1_000)
        let distance = 1 + draw(spread) * draw(spread) / spread
        request.price = number(5_000_000 + (isBuy ? -min(distance, 4_000_000) : distance), 2)
        request.quantity = number(1 + draw(10_000), 4)
        request.timeInForce = draw(10) == 0 ? .postOnly : .goodTillCancelled
        let before = open.count
        open.append(OpenOrder(number: UInt64(count) + 1, account: request.account, client: request.clientOrderID!))
        add(.place(request))
        if !engine.isOpen(order: open[before].number) { open.removeLast() }
    }

    private mutating func addCancel() {
        while !open.isEmpty {
            let place = draw(open.count)
            let order = open[place]
            open.swapAt(place, open.count - 1)
            open.removeLast()
            guard engine.isOpen(order: order.number) else { continue }
            return add(
                .cancel(
                    account: order.account,
                    order: draw(2) == 0 ? .number(order.number) : .clientOrderID(order.client)))
        }
        addResting()
    }

    /// An order that takes about three of the book, and more where the book has grown.
    private mutating func addCrossing() {
        let isBuy = draw(2) == 0
        var request = order(isBuy ? .buy : .sell)
        let taken = max(1, min(3 + (engine.openOrderCount - depth) * 20 / max(depth, 1), 12))
        request.quantity = number(1 + draw(taken * 10_000), 4)
        if draw(2) == 0 {
            request.price = number(isBuy ? 9_000_000 : 100_000, 2)
            request.timeInForce = .immediateOrCancel
        } else {
            request.kind = .market
            request.timeInForce = .immediateOrCancel
            if isBuy { request.budget = number(1_000_000, 0) }
        }
        add(.place(request))
    }
}
