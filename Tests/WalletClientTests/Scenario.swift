import ServiceKit
import TradeModel

/// Random items over few accounts and tight balances, all of it from one seed.
struct Scenario {
    enum Size: CaseIterable { case tight, extreme }

    static let assets: KeyValuePairs = ["X": 0, "Y": 2, "Z": 18]
    static let markets: [(symbol: String, priceDecimals: Int, fees: FeeRule)] = [
        ("X/Y", 2, .received), ("X/Z", 4, .quote), ("Y/Z", 18, .received), ("Z/Y", 2, .quote),
    ]
    static let customers = ["amy", "bob", "cid", "ice", "gone"]

    var random: SeededGenerator
    let size: Size
    private var count = 0
    private var tradesMade: [Trade] = []
    private var operationsMade: [Operation] = []

    init(seed: UInt64, size: Size) {
        random = SeededGenerator(seed: seed)
        self.size = size
    }

    /// Books with the assets and markets, in which everybody has a little of something.
    mutating func emptyBooks() -> ReferenceBooks {
        var books = ReferenceBooks()
        for (symbol, decimals) in Self.assets { books.assets[symbol] = decimals }
        for market in Self.markets {
            let symbol = MarketSymbol(market.symbol)!
            books.markets[market.symbol] = ReferenceBooks.MarketRules(
                base: symbol.base.text, quote: symbol.quote.text, priceDecimals: market.priceDecimals,
                fees: market.fees)
        }
        return books
    }

    mutating func startingDeposits() -> [SettlementItem] {
        Self.customers.flatMap { customer in
            Self.assets.map { asset in
                item(
                    .operation(
                        Operation(
                            key: newID("d"), kind: .deposit, account: Identifier(customer)!,
                            asset: AssetSymbol(asset.key)!, amount: amount(decimals: asset.value))))
            }
        }
    }

    mutating func next() -> SettlementItem {
        switch Int.random(in: 0..<20, using: &random) {
        case 0 where !tradesMade.isEmpty:
            return item(.trade(tradesMade.randomElement(using: &random)!))
        case 1 where !tradesMade.isEmpty:
            var other = tradesMade.randomElement(using: &random)!
            switch Int.random(in: 0..<4, using: &random) {
            case 0: other.quantity = amount(decimals: 0)
            case 1: other.buyer = account()
            case 2: other.sellerFee = fee()
            default: other.buyOrder = order().order
            }
            return item(.trade(other))
        case 2 where !operationsMade.isEmpty:
            var again = operationsMade.randomElement(using: &random)!
            if Bool.random(using: &random) { again.amount = amount(decimals: 0) }
            return item(.operation(again))
        case 3...7:
            return item(.operation(operation()))
        case 8 where Int.random(in: 0..<4, using: &random) == 0:
            let refused = RefusedMessage(Rejection(.undecodable, "not JSON"))
            return SettlementItem(
                .refused(refused), origin: .message("test"),
                payload: Array("bytes \(Int.random(in: 0..<3, using: &random))".utf8))
        default:
            return item(.trade(trade()))
        }
    }

    mutating func trade() -> Trade {
        let market = Self.markets.randomElement(using: &random)!
        let symbol = MarketSymbol(oneIn(30) ? "Q/Y" : market.symbol)!
        let baseDecimals = Self.assets.first { $0.key == symbol.base.text }?.value ?? 0
        let withOrders = Bool.random(using: &random)
        let made = Trade(
            id: newID("t"), market: symbol, price: price(market.priceDecimals),
            quantity: oneIn(25) ? DecimalNumber("0.001")! : amount(decimals: baseDecimals), buyer: account(),
            seller: account(), buyOrder: withOrders ? order().order : nil, sellOrder: withOrders ? order().order : nil,
            buyerFee: fee(), sellerFee: fee(),
            stream: withOrders && Bool.random(using: &random) ? Identifier("s")! : nil)
        tradesMade.append(made)
        return made
    }

    private mutating func operation() -> Operation {
        let asset = Self.assets.randomElement(using: &random)!
        let kind = Operation.Kind.allCases.randomElement(using: &random)!
        let made = Operation(
            key: newID("o"), kind: kind, account: account(), asset: AssetSymbol(oneIn(30) ? "Q" : asset.key)!,
            amount: oneIn(25) ? DecimalNumber("0.0001")! : amount(decimals: asset.value),
            order: kind == .reserve || kind == .release ? (oneIn(12) ? nil : order()) : nil)
        operationsMade.append(made)
        return made
    }

    private func item(_ subject: SettlementItem.Subject) -> SettlementItem {
        SettlementItem(subject, origin: .message("test"))
    }

    private mutating func newID(_ prefix: String) -> Identifier {
        count += 1
        return Identifier("\(prefix)\(count)")!
    }

    private mutating func account() -> Identifier {
        oneIn(15) ? Identifier("nobody")! : Identifier(Self.customers.randomElement(using: &random)!)!
    }

    private mutating func order() -> OrderKey {
        OrderKey(stream: oneIn(3) ? Identifier("s")! : nil, order: Identifier(UInt64.random(in: 1...6, using: &random)))
    }

    private mutating func oneIn(_ number: Int) -> Bool { Int.random(in: 0..<number, using: &random) == 0 }

    private mutating func price(_ decimals: Int) -> DecimalNumber {
        if size == .extreme, Bool.random(using: &random) { return digits(upTo: 38, scale: decimals) }
        return DecimalNumber(["1", "2", "0.5", "0.33", "3", "-1", "0.00001"][oneIn(12) ? 5 + count % 2 : count % 5])!
    }

    private mutating func amount(decimals: Int) -> DecimalNumber {
        if size == .extreme, Int.random(in: 0..<3, using: &random) > 0 { return digits(upTo: 39, scale: decimals) }
        if oneIn(40) { return .zero }
        let whole = Int.random(in: 1...6, using: &random)
        return decimals > 0 && oneIn(3)
            ? DecimalNumber(Int128(whole * 10 + 5), scale: min(decimals, 2))! : DecimalNumber("\(whole)")!
    }

    private mutating func fee() -> DecimalNumber {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return DecimalNumber("-1")!
        case 1: return DecimalNumber("1")!
        case 2: return DecimalNumber("0.5")!
        case 3: return oneIn(3) ? DecimalNumber("100")! : .zero
        case 4 where size == .extreme: return digits(upTo: 38, scale: 2, signed: true)
        default: return .zero
        }
    }

    private mutating func digits(upTo countMax: Int, scale: Int, signed: Bool = false) -> DecimalNumber {
        let count = oneIn(2) ? Int.random(in: 1...countMax, using: &random) : countMax - 1
        var text = String(Int.random(in: oneIn(3) ? 9...9 : 1...9, using: &random))
        while text.count < min(count, 38) { text += String(Int.random(in: 0...9, using: &random)) }
        let number = DecimalNumber(Int128(text)!, scale: oneIn(3) ? 0 : Int.random(in: 0...scale, using: &random))!
        return signed && Bool.random(using: &random) ? DecimalNumber(-number.coefficient, scale: number.scale)! : number
    }
}
