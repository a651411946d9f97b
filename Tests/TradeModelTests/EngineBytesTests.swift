import Testing

@testable import TradeModel

/// The bytes of commands and records: golden, the same both ways, and refused where they are anything else.
@Suite struct EngineBytesTests {
    private static let time = Timestamp("2026-01-02T03:04:05.678901Z")!
    private static let alice = Identifier("alice")!

    static let actions: [EngineCommand.Action] = [
        .listAsset(symbol: AssetSymbol("BTC")!, decimals: 8),
        .listMarket(
            MarketListing(
                symbol: MarketSymbol("BTC/USDT")!, tick: DecimalNumber("0.01")!, lot: DecimalNumber("0.0001")!,
                quantityMin: DecimalNumber("0.0001")!, quantityMax: DecimalNumber("1000")!,
                priceMax: DecimalNumber("10000000")!, feeRule: .quote, selfTradeRule: .cancelBoth,
                fees: [TradingFees(maker: -100, taker: 700), TradingFees(maker: 1_000, taker: 2_000)])),
        .setFeeTier(account: alice, tier: 3),
        .deposit(
            Transfer(
                key: Identifier("dep-1")!, account: alice, asset: AssetSymbol("USDT")!,
                amount: DecimalNumber("250.50")!)),
        .withdraw(
            Transfer(
                key: Identifier("wd-é")!, account: Identifier("1001")!, asset: AssetSymbol("BTC")!,
                amount: DecimalNumber("99999999999999999999999999999999999999")!)),
        .place(
            OrderRequest(
                account: alice, clientOrderID: Identifier("my-1")!, market: MarketSymbol("BTC/USDT")!, side: .sell,
                timeInForce: .postOnly, price: DecimalNumber("50000.25")!, quantity: DecimalNumber("0.01")!)),
        .place(
            OrderRequest(
                account: alice, market: MarketSymbol("BTC/USDT")!, side: .buy, kind: .market,
                timeInForce: .immediateOrCancel, budget: DecimalNumber("1000")!)),
        .cancel(account: alice, order: .number(1042)),
        .cancel(account: alice, order: .clientOrderID(Identifier("my-1")!)),
        .amend(Amendment(account: alice, order: .number(.max), price: DecimalNumber("-0.5")!)),
        .amend(
            Amendment(account: alice, order: .clientOrderID(Identifier("my-1")!), quantity: DecimalNumber("7")!)),
        .haltMarket(MarketSymbol("BTC/USDT")!), .resumeMarket(MarketSymbol("BTC/USDT")!),
    ]

    static let record = EngineOutput(
        sequence: 1043, command: EngineCommand(time: time, actions[5]),
        market: MarketScale(
            symbol: MarketSymbol("BTC/USDT")!, baseDecimals: 8, quoteDecimals: 6, priceDecimals: 2, feeRule: .quote),
        events: [
            .new(order: 1043), .hold(order: 1043, asset: .base, amount: 1_000_000),
            .trade(
                EngineTrade(
                    number: 9, makerOrder: 1042, makerAccount: Identifier("bob")!, takerOrder: 1043,
                    takerAccount: alice, takerSide: .sell, price: 5_000_100, quantity: 400_000, quote: 200_004_000,
                    makerFee: -20_000, takerFee: 140_002)),
            .release(order: 1042, account: Identifier("bob")!, asset: .quote, amount: 7),
            .state(order: 1042, account: Identifier("bob")!, .filled, cause: .none, remaining: 0),
            .state(order: 1043, account: alice, .expired, cause: .unfilled, remaining: 600_000),
            .amended(order: 1043, price: 1, quantity: 2, remaining: 3, keepsPriority: true),
            .hold(order: 1043, asset: .quote, amount: .maximum),
        ])

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func command(_ bytes: [UInt8]) throws -> EngineCommand {
        try bytes.withUnsafeBytes { try EngineCommand(bytes: $0) }
    }

    private func output(_ bytes: [UInt8]) throws -> EngineOutput {
        try bytes.withUnsafeBytes { try EngineOutput(bytes: $0) }
    }

    @Test func `the bytes of known commands stay what they are`() {
        let golden = Self.actions.map { hexadecimal(EngineCommand(time: Self.time, $0).bytes) }
        #expect(golden == Self.goldenCommands)
    }

    @Test func `the bytes of a known record stay what they are`() {
        #expect(hexadecimal(Self.record.bytes) == Self.goldenRecord)
    }

    @Test(arguments: actions)
    func `a command is read as it was written`(action: EngineCommand.Action) throws {
        let written = EngineCommand(time: Self.time, action)
        #expect(try command(written.bytes) == written)
        #expect(written.bytes.count <= EngineCommand.byteCountMax)
    }

    @Test func `a record is read as it was written, rejected ones too`() throws {
        #expect(try output(Self.record.bytes) == Self.record)
        for reason in RejectReason.allCases {
            let rejected = EngineOutput(
                sequence: .max, command: EngineCommand(time: Timestamp(microseconds: .min), Self.actions[6]),
                rejection: reason,
                events: [.state(order: .max, account: Self.alice, .rejected, cause: .none, remaining: 0)])
            #expect(try output(rejected.bytes) == rejected)
        }
    }

    @Test func `the largest command there can be keeps to the limit`() {
        let longest = Identifier(String(repeating: "x", count: 64))!
        let most = DecimalNumber("99999999999999999999999999999999999999")!
        let market = MarketSymbol("0123456789ABCDEF/FEDCBA9876543210")!
        let order = OrderRequest(
            account: longest, clientOrderID: longest, market: market, side: .buy, price: most, quantity: most,
            budget: most)
        #expect(EngineCommand(time: Self.time, .place(order)).bytes.count <= EngineCommand.byteCountMax)
        let listing = MarketListing(
            symbol: market, tick: most, lot: most, quantityMin: most, quantityMax: most, priceMax: most,
            fees: Array(repeating: TradingFees(maker: 1, taker: 1), count: MarketListing.feeTierCountMax))
        #expect(EngineCommand(time: Self.time, .listMarket(listing)).bytes.count <= EngineCommand.byteCountMax)
    }

    @Test func `what is cut short, goes on too long or has another version is refused`() throws {
        for action in Self.actions {
            let bytes = EngineCommand(time: Self.time, action).bytes
            for count in bytes.indices { #expect(throws: MalformedBytes.self) { try command(Array(bytes[..<count])) } }
            #expect(throws: MalformedBytes(.trailingBytes, at: bytes.count)) { try command(bytes + [0]) }
            #expect(throws: MalformedBytes(.unknownVersion(2), at: 0)) { try command([2] + bytes.dropFirst()) }
            #expect(throws: MalformedBytes(.unknownKind(77), at: 1)) { try command([1, 77] + bytes.dropFirst(2)) }
        }
        let bytes = Self.record.bytes
        for count in bytes.indices { #expect(throws: MalformedBytes.self) { try output(Array(bytes[..<count])) } }
        #expect(throws: MalformedBytes(.trailingBytes, at: bytes.count)) { try output(bytes + [0]) }
        #expect(throws: MalformedBytes(.unknownVersion(2), at: 0)) { try output([2] + bytes.dropFirst()) }
        let tooLong = [UInt8](repeating: 1, count: EngineCommand.byteCountMax + 1)
        #expect(throws: MalformedBytes(.tooLong, at: EngineCommand.byteCountMax)) { try command(tooLong) }
    }

    @Test func `a number has one form`() throws {
        var bytes = EngineCommand(time: Self.time, .cancel(account: Self.alice, order: .number(0))).bytes
        #expect(bytes.last == 0)
        bytes[bytes.count - 1] = 1
        #expect(throws: MalformedBytes(.notShortest, at: bytes.count - 1)) { try command(bytes + [0]) }
        #expect(try command(bytes + [5]).action == .cancel(account: Self.alice, order: .number(5)))
    }

    @Test func `ids that no table could hold are refused`() throws {
        for text in [[0xff], [0xc3], [0x41, 0x0a], [0x7f], [0xed, 0xa0, 0x80]] as [[UInt8]] {
            let bytes =
                [1, 3] + [UInt8](repeating: 0, count: 8) + [UInt8(text.count)] + text + [0]
            #expect(throws: MalformedBytes(.badText, at: 10)) { try command(bytes) }
        }
        for market in ["BTC", "/USDT", "BTC/", "A/B/C", "BTC-USDT", "BTC/BTC", "", "B C/D"] {
            let bytes = [1, 9] + [UInt8](repeating: 0, count: 8) + [UInt8(market.utf8.count)] + Array(market.utf8)
            #expect(throws: MalformedBytes(.badText, at: 10), "\(market)") { try command(bytes) }
        }
    }

    @Test func `whatever is changed in the bytes, they are read as what they say or refused`() throws {
        var state: UInt64 = 42
        func draw(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let seeds = Self.actions.map { EngineCommand(time: Self.time, $0).bytes }
        for _ in 0..<30_000 {
            var bytes = draw(3) == 0 ? Self.record.bytes : seeds[draw(seeds.count)]
            let isRecord = bytes.count > 150
            for _ in 0...draw(4) {
                switch draw(3) {
                case 0: bytes[draw(bytes.count)] = UInt8(draw(256))
                case 1: bytes.remove(at: draw(bytes.count))
                default: bytes.insert(UInt8(draw(256)), at: draw(bytes.count))
                }
            }
            if isRecord {
                if let read = try? output(bytes) { #expect(read.bytes == bytes) }
            } else if let read = try? command(bytes) {
                #expect(read.bytes == bytes)
            }
        }
    }

    private static let goldenCommands = [
        "0101354f57f65e4706000342544308",
        "0102354f57f65e470600084254432f555344540201020401020401020002d0070004002d31010103029cffffffbc020000e8"
            + "030000d0070000",
        "0103354f57f65e47060005616c69636503",
        "0104354f57f65e470600056465702d3105616c696365045553445401029213",
        "0105354f57f65e4706000577642dc3a90431303031034254430010feffffff7f441413f4880db550997696",
        "0106354f57f65e47060005616c696365046d792d31084254432f555344543d0203b29698020102",
        "0106354f57f65e47060005616c69636500084254432f55534454460002d007",
        "0107354f57f65e47060005616c69636500021204",
        "0107354f57f65e47060005616c69636501046d792d31",
        "0108354f57f65e47060005616c6963650008ffffffffffffffff01010109",
        "0108354f57f65e47060005616c69636501046d792d310200010e",
        "0109354f57f65e470600084254432f55534454",
        "010a354f57f65e470600084254432f55534454",
    ]
    private static let goldenRecord =
        "01130400000000000000270000000106354f57f65e47060005616c696365046d792d31084254432f555344543d0203b29698"
        + "02010201084254432f5553445408060201080000000102130402021304000340420f03010902120403626f620213040103a4"
        + "4b4c03801a0604a0d1eb0b023f9c03c445040402120403626f620101070502120403626f620200000502130400050303c027"
        + "090602130401010102010301020213040110ffffffff3f228a097ac4865aa84c3b4b"
}
