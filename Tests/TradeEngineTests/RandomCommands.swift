import TradeModel

/// Commands of all kinds that follow from a seed: few accounts and few prices, so that everything meets everything.
struct RandomCommands {
    private var state: UInt64
    private var time: Int64 = 1_767_323_045_000_000
    /// Orders that were accepted, open or not.
    private var placed: [(account: Identifier, number: UInt64, client: Identifier?)] = []
    private var clientCount = 0
    private var pending: [EngineCommand.Action]

    static let accounts = ["alice", "bob", "carol", "dave", "erin", "1001"].map { Identifier($0)! }
    static let assets = [("BTC", 8), ("ETH", 18), ("USDT", 6), ("EUR", 2)].map { (AssetSymbol($0.0)!, $0.1) }
    static let listings = [
        listing(
            "BTC/USDT", tick: "0.5", lot: "0.001", range: "0.001"..."50", .received, .cancelNewest,
            [(0, 0), (-100, 700)]),
        listing(
            "ETH/EUR", tick: "0.05", lot: "0.0003", range: "0.0003"..."30", .quote, .cancelOldest,
            [(1000, 2000), (2500, 300)]),
        listing("ETH/BTC", tick: "0.001", lot: "0.01", range: "0.02"..."9", .quote, .cancelBoth, [(-500, 1500)]),
        listing("BTC/EUR", tick: "0.03", lot: "0.0007", range: "0.0007"..."7", .received, .allow, [(1000, 333_333)]),
    ]

    static func listing(
        _ symbol: String, tick: String, lot: String, range: ClosedRange<String>, _ feeRule: FeeRule,
        _ selfTradeRule: SelfTradeRule, _ fees: [(Int32, Int32)]
    ) -> MarketListing {
        MarketListing(
            symbol: MarketSymbol(symbol)!, tick: DecimalNumber(tick)!, lot: DecimalNumber(lot)!,
            quantityMin: DecimalNumber(range.lowerBound)!, quantityMax: DecimalNumber(range.upperBound)!,
            priceMax: DecimalNumber("300000")!, feeRule: feeRule, selfTradeRule: selfTradeRule,
            fees: fees.map { TradingFees(maker: $0.0, taker: $0.1) })
    }

    init(seed: UInt64) {
        state = seed
        pending = Self.assets.map { .listAsset(symbol: $0.0, decimals: $0.1) }
        pending += Self.listings.map { .listMarket($0) }
        for account in Self.accounts {
            for (asset, _) in Self.assets {
                let amount = asset.text == "USDT" || asset.text == "EUR" ? "30000" : "300"
                pending.append(
                    .deposit(
                        Transfer(
                            key: Identifier("start-\(account)-\(asset)")!, account: account, asset: asset,
                            amount: DecimalNumber(amount)!)))
            }
        }
        pending.reverse()
    }

    private mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func draw(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    private mutating func chance(_ percent: Int) -> Bool { draw(100) < percent }
    private mutating func pick<Element>(_ elements: [Element]) -> Element { elements[draw(elements.count)] }

    private var transfers: [EngineCommand.Action] = []

    /// Told what became of a command, so that later ones can be about it.
    mutating func note(_ output: EngineOutput) {
        guard output.rejection == nil else { return }
        if case .place(let request) = output.command.action {
            placed.append((request.account, output.sequence, request.clientOrderID))
        }
        for case .state(let order, _, let state, _, _) in output.events where state.isFinal {
            // Some that ended are asked for again.
            if !chance(8) { placed.removeAll { $0.number == order } }
        }
        if placed.count > 400 { placed.removeFirst(200) }
    }

    mutating func command() -> EngineCommand {
        time += Int64(draw(50))
        return EngineCommand(time: Timestamp(microseconds: time), pending.popLast() ?? action())
    }

    private mutating func action() -> EngineCommand.Action {
        switch draw(1000) {
        case 0..<700: return .place(order())
        case 700..<860: return .cancel(account: chance(97) ? nil : pick(Self.accounts), reference())
        case 860..<930:
            let (account, order) = owned()
            let market = pick(Self.listings)
            return .amend(
                Amendment(
                    account: account, order: order, price: chance(50) ? price(market) : nil,
                    quantity: chance(70) ? quantity(market) : nil))
        case 930..<970:
            if !transfers.isEmpty, chance(5) { return pick(transfers) }
            let isDeposit = chance(50)
            let transfer = transfer(isDeposit ? "d" : "w")
            transfers.append(isDeposit ? .deposit(transfer) : .withdraw(transfer))
            return transfers.last!
        case 970..<982: return .setFeeTier(account: account(), tier: UInt8(draw(4)))
        case 982..<984: return .haltMarket(pick(Self.listings).symbol)
        case 984..<998: return .resumeMarket(chance(95) ? pick(Self.listings).symbol : MarketSymbol("BTC/ETH")!)
        case 998: return .listAsset(symbol: pick(Self.assets).0, decimals: 3)
        default: return .listMarket(pick(Self.listings))
        }
    }

    private mutating func account() -> Identifier { chance(99) ? pick(Self.accounts) : Identifier("nobody")! }

    private mutating func transfer(_ prefix: String) -> Transfer {
        Transfer(
            key: Identifier("\(prefix)-\(draw(3000))")!,
            account: chance(90) ? account() : Identifier("new-\(draw(5))")!,
            asset: chance(98) ? pick(Self.assets).0 : AssetSymbol("XRP")!,
            amount: DecimalNumber(Int128(draw(20_000)) - 100, scale: draw(4))!)
    }

    private mutating func owned() -> (Identifier, OrderReference) {
        guard !placed.isEmpty else { return (account(), .number(7)) }
        let order = placed[placed.count - 1 - min(draw(placed.count), draw(placed.count))]
        if let client = order.client, chance(40) { return (order.account, .clientOrderID(client)) }
        return (chance(99) ? order.account : account(), .number(chance(99) ? order.number : order.number + 1))
    }

    private mutating func reference() -> (Identifier, OrderReference) { owned() }

    private mutating func order() -> OrderRequest {
        let listing = pick(Self.listings)
        var order = OrderRequest(account: account(), market: listing.symbol, side: chance(50) ? .buy : .sell)
        if chance(1) { order.market = MarketSymbol("XRP/EUR")! }
        if chance(60) {
            clientCount += 1
            order.clientOrderID = Identifier("o\(chance(3) ? clientCount - draw(50) : clientCount)")
        }
        if chance(12) {
            order.kind = .market
            order.timeInForce = chance(80) ? .immediateOrCancel : .fillOrKill
            if order.side == .buy {
                order.budget = DecimalNumber(Int128(draw(300_000)), scale: 2)
                order.quantity = chance(60) ? quantity(listing) : nil
            } else {
                order.quantity = quantity(listing)
            }
        } else {
            order.price = price(listing)
            order.quantity = quantity(listing)
            order.timeInForce =
                switch draw(100) {
                case 0..<10: .immediateOrCancel
                case 10..<20: .fillOrKill
                case 20..<30: .postOnly
                default: .goodTillCancelled
                }
        }
        // Now and then something that contradicts itself.
        switch draw(200) {
        case 0: order.price = nil
        case 1: order.budget = DecimalNumber("10")
        case 2: order.quantity = nil
        case 3: order.timeInForce = .postOnly
        case 4: order.budget = DecimalNumber("0.0000001")
        default: break
        }
        return order
    }

    private mutating func price(_ listing: MarketListing) -> DecimalNumber {
        switch draw(100) {
        case 0: return DecimalNumber("0.0001")!
        case 1: return DecimalNumber("300000.5")!
        case 2: return DecimalNumber("-3")!
        default:
            // A few prices around a middle that wanders.
            let ticks = 1000 + Int128(time / 3_000 % 7) + Int128(draw(12)) - Int128(draw(12))
            return DecimalNumber(listing.tick.coefficient * ticks, scale: listing.tick.scale)!
        }
    }

    private mutating func quantity(_ listing: MarketListing) -> DecimalNumber {
        switch draw(100) {
        case 0: return DecimalNumber("0.00001")!
        case 1: return DecimalNumber("1000000")!
        case 2: return DecimalNumber.zero
        default:
            let lots = Int128(1 + (chance(20) ? draw(2000) : draw(60)))
            return DecimalNumber(listing.lot.coefficient * lots, scale: listing.lot.scale)!
        }
    }
}

extension EngineCommand.Action {
    fileprivate static func cancel(
        account other: Identifier?, _ owned: (account: Identifier, order: OrderReference)
    ) -> EngineCommand.Action {
        .cancel(account: other ?? owned.account, order: owned.order)
    }
}
