import CommandKit
import Repository
import TradeModel

struct AddAsset: Command {
    static let info = CommandInfo(
        "add", summary: "Add an asset.", discussion: "Adding the same asset again changes nothing.",
        examples: [
            Example("settle asset add BTC --decimals 8", "A coin with eight decimals."),
            Example("settle asset add SOL --decimals 9 --engine tcp://127.0.0.1:5560", "To an engine and its feed."),
        ])

    @Argument("SYMBOL", help: "Its short name: letters, digits, points.") var symbol: AssetSymbol
    @Option("--decimals", "N", help: "How many digits behind the point an amount may have: 0 to 18.") var decimals: Int
    @Option("--engine", help: "Add it to the engine that takes orders here; what follows the engine learns of it.")
    var engine: Endpoint?
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func validate() throws {
        if dryRun, engine != nil { throw UsageError("an engine knows no '--dry-run'") }
        guard (0...Asset.decimalsMax).contains(decimals) else {
            throw UsageError("'--decimals' is a whole number from 0 to \(Asset.decimalsMax), not \(decimals)")
        }
    }

    func run(_ context: Context) async throws {
        if let engine {
            let record = try await EngineAccess(engine).carryOut(.listAsset(symbol: symbol, decimals: decimals))
            return try context.output.show([
                "symbol": .string(symbol.text), "decimals": .integer(decimals),
                "sequence": .count(record.sequence),
            ]) {
                try context.output.line("added asset \(symbol) with \(decimals.counted("decimal")) to the engine")
            }
        }
        let database = try Database(context, isMaker: !dryRun)
        defer { database.leave() }
        let connection = try database.connect()
        var isNew = false
        if dryRun {
            isNew = try CatalogStore.read(connection).assets[symbol] == nil
        } else {
            isNew = try connection.query(CatalogStore.addAsset(symbol, decimals: decimals)).affected == 1
        }
        if !isNew {
            let existing = try CatalogStore.read(connection).assets[symbol]!
            guard existing.decimals == decimals else {
                throw CommandFailure(
                    "asset \(symbol) exists with \(existing.decimals.counted("decimal")), not \(decimals); the "
                        + "decimals of an asset do not change")
            }
        }
        try context.output.show([
            "symbol": .string(symbol.text), "decimals": .integer(decimals),
            dryRun ? "would_add" : "added": .bool(isNew),
        ]) {
            try context.output.line(
                isNew
                    ? "\(dryRun ? "would add" : "added") asset \(symbol) with \(decimals.counted("decimal"))"
                    : "asset \(symbol) is there already")
        }
        let others = try CatalogStore.read(connection).assets.keys.filter {
            $0 != symbol && $0.text.lowercased() == symbol.text.lowercased()
        }
        for other in others.sorted(by: { $0.text < $1.text }) {
            context.output.note("\(other) is there too, and is another asset than \(symbol)")
        }
    }
}

/// Not in pages: every worker holds all assets and markets in memory, so there are never more than a person can read.
struct ListAssets: Command {
    static let info = CommandInfo("list", summary: "List all assets.", examples: [Example("settle asset list", "")])

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let assets = try CatalogStore.read(database.connect()).assets.values.sorted { $0.symbol < $1.symbol }
        try context.output.list(
            assets.map { ["symbol": .string($0.symbol.text), "decimals": .integer($0.decimals)] },
            empty: "No assets yet. Add one with 'settle asset add BTC --decimals 8'."
        ) {
            var table = Table("ASSET", Table.Column("DECIMALS", .right))
            for asset in assets { table.add("\(asset.symbol)", "\(asset.decimals)") }
            return table
        }
    }
}

struct AddMarket: Command {
    static let info = CommandInfo(
        "add", summary: "Add a market.",
        discussion: """
            Fees by 'received': each side pays from what it receives. By 'quote': both pay in the quote asset, the buyer \
            on top of the price. A negative fee is a rebate. Adding the same market again changes nothing.
            """,
        examples: [
            Example("settle market add BTC/USDT --tick 0.01", "Bitcoin, priced in cents of USDT."),
            Example(
                "settle market add ETH/USDT --tick 0.01 --lot 0.001 --engine ipc://engine",
                "To an engine that takes orders at that socket."),
        ])

    @Argument("MARKET", help: "Base and quote asset.") var symbol: MarketSymbol
    @Option("--tick", "AMOUNT", help: "The step between prices: for engines to read, no trade is held to it.")
    var tick: DecimalNumber?
    @Option("--lot", "AMOUNT", help: "The step between quantities, likewise.") var lot: DecimalNumber?
    @Option("--fees", help: "Which side pays its fee in what.", default: .received) var fees: FeeRule
    @Option(
        "--price-decimals", "N",
        help: "How many decimals a price may have. (default: as the quote asset, or the tick if finer)")
    var priceDecimals: Int?
    @OptionGroup("For an engine") var listing: ListingOptions
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func validate() throws {
        try listing.validate(isDry: dryRun)
        for (name, step) in [("--tick", tick), ("--lot", lot)] {
            if let step, !step.isPositive { throw UsageError("'\(name)' must be positive, not \(step)") }
        }
        if let priceDecimals, !(0...Asset.decimalsMax).contains(priceDecimals) {
            throw UsageError("'--price-decimals' is a whole number from 0 to \(Asset.decimalsMax)")
        }
    }

    func run(_ context: Context) async throws {
        if let engine = listing.engine {
            guard let tick, let lot else { throw UsageError("an engine wants a '--tick' and a '--lot'") }
            let market = listing.market(symbol, tick: tick, lot: lot, fees: fees)
            let record = try await EngineAccess(engine).carryOut(.listMarket(market))
            return try context.output.show([
                "symbol": .string(symbol.text), "fees": .string(fees.rawValue), "tick": .string(tick.description),
                "lot": .string(lot.description), "sequence": .count(record.sequence),
            ]) {
                try context.output.line("added market \(symbol), fees \(fees.rawValue), to the engine")
            }
        }
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let catalog = try CatalogStore.read(connection)
        let (base, quote) = try (catalog.known(symbol.base), catalog.known(symbol.quote))
        let decimals = priceDecimals ?? max(quote.decimals, tick?.scale ?? 0)
        try check(tick, "--tick", decimals: min(decimals, Asset.decimalsMax), of: "a price")
        try check(lot, "--lot", decimals: base.decimals, of: "\(symbol.base)")
        if let existing = catalog.markets[symbol] {
            let steps = try connection.query(CatalogStore.terms(of: symbol))
            let itsTick = steps.optional(0, 0, steps.decimal) ?? nil
            let itsLot = steps.optional(0, 1, steps.decimal) ?? nil
            guard existing.feeRule == fees, existing.priceDecimals == decimals, itsTick == tick, itsLot == lot else {
                throw CommandFailure(
                    "market \(symbol) exists with fees '\(existing.feeRule.rawValue)', \(existing.priceDecimals) "
                        + "price decimals, tick \(itsTick?.description ?? "none") and "
                        + "lot \(itsLot?.description ?? "none"); terms of a market do not change")
            }
        } else if !dryRun {
            try connection.query(
                CatalogStore.addMarket(symbol, priceDecimals: decimals, tick: tick, lot: lot, fees: fees))
        }
        let isNew = catalog.markets[symbol] == nil
        try context.output.show([
            "symbol": .string(symbol.text), "fees": .string(fees.rawValue), "price_decimals": .integer(decimals),
            "tick": .string(tick?.description), "lot": .string(lot?.description),
            dryRun ? "would_add" : "added": .bool(isNew),
        ]) {
            try context.output.line(
                isNew
                    ? "\(dryRun ? "would add" : "added") market \(symbol), fees \(fees.rawValue)"
                    : "market \(symbol) is there already")
        }
    }
}

/// Refuses a step finer than what it counts.
private func check(_ step: DecimalNumber?, _ flag: String, decimals: Int, of what: String) throws {
    guard let step, step.scale > decimals else { return }
    throw UsageError("'\(flag) \(step)' has more decimals than \(what), which has \(decimals)")
}

/// Not in pages, as the list of assets.
struct ListMarkets: Command {
    static let info = CommandInfo("list", summary: "List all markets.", examples: [Example("settle market list", "")])

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let markets = try CatalogStore.read(connection).markets.values.sorted { $0.symbol < $1.symbol }
        let answers = try connection.pipeline([MarketStore.steps, MarketStore.halts()])
        let steps = MarketStore.decodeSteps(answers[0])
        let halted = MarketStore.decodeHalts(answers[1])
        let halts = Dictionary(uniqueKeysWithValues: halted.map { ($0.market, $0) })
        try context.output.list(
            markets.map {
                [
                    "symbol": .string($0.symbol.text), "base": .string($0.base.symbol.text),
                    "quote": .string($0.quote.symbol.text), "price_decimals": .integer($0.priceDecimals),
                    "fees": .string($0.feeRule.rawValue), "tick": .string(steps[$0.symbol]?.tick?.description),
                    "lot": .string(steps[$0.symbol]?.lot?.description), "halted": .bool($0.isHalted),
                    "halted_since": .time(halts[$0.symbol]?.since), "halted_by": .string(halts[$0.symbol]?.actor),
                    "halted_reason": .reason(halts[$0.symbol]?.reason),
                ]
            },
            empty: "No markets yet. Add one with 'settle market add BTC/USDT'."
        ) {
            var table = Table(
                "MARKET", Table.Column("PRICE DECIMALS", .right), Table.Column("TICK", .right),
                Table.Column("LOT", .right), "FEES", "STATE")
            for market in markets {
                table.add(
                    "\(market.symbol)", "\(market.priceDecimals)", "\(steps[market.symbol]?.tick?.description ?? "-")",
                    "\(steps[market.symbol]?.lot?.description ?? "-")", "\(market.feeRule.rawValue)",
                    market.isHalted ? Table.Cell("halted", .yellow) : "open")
            }
            return table
        }
        if context.output.format == .text {
            for stop in Standstill(nil, halted).stops() { context.output.note(stop.line) }
        }
    }
}
