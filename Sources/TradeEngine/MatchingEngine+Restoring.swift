import HashChain
import TradeModel

/// Why bytes are no snapshot to go on from.
public enum SnapshotProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case notASnapshot
    case unknownVersion(UInt8)
    /// The checksum does not fit.
    case damaged
    case malformed(MalformedBytes)
    /// It can be read, but says what cannot be.
    case contradictory(String)

    public var description: String {
        switch self {
        case .notASnapshot: "this is no snapshot of an engine"
        case .unknownVersion(let version): "the snapshot's version \(version) is unknown"
        case .damaged: "the snapshot is damaged: its checksum does not fit"
        case .malformed(let problem): "the snapshot cannot be read: \(problem)"
        case .contradictory(let what): "the snapshot contradicts itself: \(what)"
        }
    }
}

extension MatchingEngine {
    /// An engine that goes on from a snapshot.
    public static func from(snapshot: UnsafeRawBufferPointer) throws(SnapshotProblem) -> MatchingEngine {
        guard snapshot.count >= 17, snapshot.loadUnaligned(as: UInt64.self).littleEndian == Self.snapshotMagic else {
            throw .notASnapshot
        }
        guard snapshot[8] == Self.snapshotVersion else { throw .unknownVersion(snapshot[8]) }
        let body = UnsafeRawBufferPointer(rebasing: snapshot.dropLast(8))
        let checksum = snapshot.loadUnaligned(fromByteOffset: body.count, as: UInt64.self).littleEndian
        guard checksum == HashChain.checksum(body) else { throw .damaged }
        var reader = SnapshotReader(bytes: ByteReader(UnsafeRawBufferPointer(rebasing: body[9...])))
        let endedCountMax = try reader.number(upTo: 1 << 30)
        var engine = MatchingEngine(limits: EngineLimits(endedOrderIDCountMax: endedCountMax))
        try engine.restore(&reader)
        return engine
    }

    private mutating func restore(_ reader: inout SnapshotReader) throws(SnapshotProblem) {
        let number = try reader.read { (bytes) throws(MalformedBytes) in try bytes.uint64() }
        chain = HashChain(value: try reader.read { (bytes) throws(MalformedBytes) in try bytes.uint64() })
        tradeCount = try reader.read { (bytes) throws(MalformedBytes) in try bytes.uint64() }
        try restoreCatalog(&reader)
        try restoreAccounts(&reader)
        for _ in 0..<(try reader.count(eachAtLeast: 24)) {
            let parts = try reader.read { (bytes) throws(MalformedBytes) in
                (try bytes.uint64(), try bytes.uint64(), try bytes.uint64())
            }
            let key = OperationKeys.Key(low: parts.0, high: parts.1, content: parts.2)
            guard operationKeys.find(key) == nil else { throw .contradictory("a key is there twice") }
            operationKeys.insert(key)
        }
        let rememberedCount = try reader.count(eachAtLeast: 16)
        guard rememberedCount <= limits.endedOrderIDCountMax else { throw .contradictory("it remembers too much") }
        for _ in 0..<rememberedCount {
            let key = try reader.clientKey()
            guard clientIDs.find(key, orders) == nil else { throw .contradictory("an id of an order is there twice") }
            clientIDs.end(key)
        }
        for _ in 0..<(try reader.count(eachAtLeast: 30)) {
            let (order, market) = try readOrder(&reader, below: number)
            rest(orders.insert(order), at: -1, in: market)
        }
        try reader.read { (bytes) throws(MalformedBytes) in try bytes.requireEnd() }
        try checkMoney()
        restored(sequence: number)
    }

    private mutating func restoreCatalog(_ reader: inout SnapshotReader) throws(SnapshotProblem) {
        for _ in 0..<(try reader.shortCount(eachAtLeast: 5)) {
            let (symbol, decimals, house, world) = try reader.read { (bytes) throws(MalformedBytes) in
                (try bytes.assetSymbol(), try bytes.byte(), try bytes.signedAmount(), try bytes.signedAmount())
            }
            guard findAsset(symbol) == nil, let symbol = AssetSymbol(String(decoding: symbol, as: UTF8.self)),
                decimals <= Asset.decimalsMax
            else { throw .contradictory("an asset is there twice, or has too many decimals") }
            assets.append(ListedAsset(symbol: symbol, decimals: Int(decimals)))
            _ = totals.insert(AssetTotals(house: house.units, world: world.units))
        }
        for _ in 0..<(try reader.shortCount(eachAtLeast: 5)) {
            let (listing, isHalted) = try reader.read { (bytes) throws(MalformedBytes) in
                let view = try EngineCommandView(try bytes.raw(Int(try bytes.uint32())))
                guard case .listMarket(let market) = view.action else { throw bytes.malformed(.badValue) }
                return (market.listing, try bytes.byte() == 1)
            }
            do {
                try listMarket(listing)
            } catch { throw .contradictory("market \(listing.symbol) cannot be listed: \(error.name)") }
            markets[Int32(markets.count - 1)].pointee.isHalted = isHalted
        }
    }

    private mutating func restoreAccounts(_ reader: inout SnapshotReader) throws(SnapshotProblem) {
        for _ in 0..<(try reader.count(eachAtLeast: 3)) {
            let (text, tier) = try reader.read { (bytes) throws(MalformedBytes) in
                (try bytes.identifier(), try bytes.byte())
            }
            guard book.find(text) == nil else { throw .contradictory("an account is there twice") }
            let account = book.open(text)
            book.accounts[account].tier = tier
        }
        for _ in 0..<(try reader.count(eachAtLeast: 4)) {
            let account = Int32(try reader.compact(below: book.accounts.count))
            let asset = Int32(try reader.compact(below: assets.count))
            guard book.balance(account, asset) == nil else { throw .contradictory("a balance is there twice") }
            let place = book.openBalance(account, asset)
            book.balances[place].available = try reader.amount()
            book.balances[place].held = try reader.amount()
        }
    }

    private mutating func readOrder(
        _ reader: inout SnapshotReader, below sequence: UInt64
    ) throws(SnapshotProblem) -> (RestingOrder, UnsafeMutablePointer<MarketState>) {
        let number = try reader.read { (bytes) throws(MalformedBytes) in try bytes.compact64() }
        let client = try reader.clientKey()
        let account = Int32(try reader.compact(below: book.accounts.count))
        let marketNumber = Int32(try reader.compact(below: markets.count))
        let market = markets[marketNumber]
        let (side, isPostOnly, rate) = try reader.read { (bytes) throws(MalformedBytes) in
            guard let side = OrderSide(rawValue: try bytes.byte()) else { throw bytes.malformed(.badValue) }
            return (side, try bytes.byte() == 1, Int32(bitPattern: try bytes.uint32()))
        }
        let order = RestingOrder(
            number: number, client: client, account: account, market: marketNumber, side: side,
            isPostOnly: isPostOnly, makerRate: rate,
            heldBalance: Int32(try reader.compact(below: book.balances.count)),
            receiveBalance: Int32(try reader.compact(below: book.balances.count + 1)) - 1,
            tick: Int64(try reader.compact(below: Int(market.pointee.rules.tickMax) + 1)),
            lots: Int64(try reader.compact(below: Int(market.pointee.rules.lotsMax) + 1)),
            remaining: Int64(try reader.compact(below: Int(market.pointee.rules.lotsMax) + 1)),
            hold: try reader.amount())
        let rules = market.pointee.rules
        guard (1...sequence).contains(number), order.remaining > 0, order.remaining <= order.lots,
            order.tick >= rules.tickMin, abs(Int(rate)) <= Int(TradingFees.millionthsMax),
            order.hold == market.need(side, order.tick, order.remaining, rate: rate),
            book.balance(account, market.pointee.asset(side.heldAsset)) == order.heldBalance,
            order.receiveBalance < 0
                || book.balance(account, market.pointee.asset(side.opposite.heldAsset)) == order.receiveBalance,
            orderIndex.find(spread(number), where: { orders.base[Int($0)].number == number }) == nil,
            client == .none || clientIDs.find(client, orders) == nil,
            !meets(side, order.tick, in: market)
        else { throw .contradictory("order \(number) cannot be") }
        return (order, market)
    }

    /// No money appeared or vanished on the way.
    private func checkMoney() throws(SnapshotProblem) {
        var sums = (0..<assets.count).map { boundedSum(totals[Int32($0)].house, totals[Int32($0)].world) }
        var holds = [Int128](repeating: 0, count: book.balances.count)
        for place in 0..<book.balances.count {
            let balance = book.balances[Int32(place)]
            let asset = Int(book.balanceKeys[Int32(place)].asset)
            sums[asset] = boundedSum(sums[asset], boundedSum(balance.available, balance.held))
        }
        forEachOpenOrder { holds[Int($0.heldBalance)] = boundedSum(holds[Int($0.heldBalance)], $0.hold) }
        for (place, hold) in holds.enumerated() where book.balances[Int32(place)].held != hold {
            throw .contradictory("what is held is not what orders hold")
        }
        for (index, sum) in sums.enumerated() where sum != 0 {
            throw .contradictory("\(assets[index].symbol) does not sum to zero")
        }
    }
}

/// What is too much stays the most that there is, which is right nowhere: what accounts have is not negative, and takes
/// nothing off again.
private func boundedSum(_ left: Int128, _ right: Int128) -> Int128 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

/// Reads a snapshot; whatever is wrong with its bytes is a problem of the snapshot.
private struct SnapshotReader {
    var bytes: ByteReader

    mutating func read<Value>(
        _ body: (inout ByteReader) throws(MalformedBytes) -> Value
    ) throws(SnapshotProblem) -> Value {
        do {
            return try body(&bytes)
        } catch { throw .malformed(error) }
    }

    mutating func number(upTo limit: Int) throws(SnapshotProblem) -> Int {
        try read { (bytes) throws(MalformedBytes) in
            let value = try bytes.uint64()
            guard value <= UInt64(limit) else { throw bytes.malformed(.badValue) }
            return Int(value)
        }
    }

    /// A count of things, no more than there are bytes for.
    mutating func count(eachAtLeast byteCount: Int) throws(SnapshotProblem) -> Int {
        try number(upTo: bytes.remaining / byteCount)
    }

    mutating func shortCount(eachAtLeast byteCount: Int) throws(SnapshotProblem) -> Int {
        try read { (bytes) throws(MalformedBytes) in
            let value = Int(try bytes.uint32())
            guard value <= bytes.remaining / byteCount else { throw bytes.malformed(.badValue) }
            return value
        }
    }

    mutating func compact(below limit: Int) throws(SnapshotProblem) -> Int {
        try read { (bytes) throws(MalformedBytes) in
            let value = try bytes.compact64()
            guard value < UInt64(limit) else { throw bytes.malformed(.badValue) }
            return Int(value)
        }
    }

    mutating func amount() throws(SnapshotProblem) -> Int128 {
        try read { (bytes) throws(MalformedBytes) in try bytes.amount().units }
    }

    mutating func clientKey() throws(SnapshotProblem) -> ClientKey {
        try read { (bytes) throws(MalformedBytes) in ClientKey(low: try bytes.uint64(), high: try bytes.uint64()) }
    }
}
