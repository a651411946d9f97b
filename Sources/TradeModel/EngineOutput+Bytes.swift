extension EngineOutput {
    public static let version: UInt8 = 1

    /// The numbers of the wire, which never change.
    public enum EventKind {
        public static let new: UInt8 = 1
        public static let hold: UInt8 = 2
        public static let trade: UInt8 = 3
        public static let release: UInt8 = 4
        public static let state: UInt8 = 5
        public static let amended: UInt8 = 6
    }

    /// Where the length of its command stands in a record, and behind it the command.
    private static let commandLengthOffset = 10

    /// The bytes of the command in those of a record, which they are a part of; nil where there is none.
    public static func command(in record: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let start = commandLengthOffset + MemoryLayout<UInt32>.size
        guard record.count >= start else { return nil }
        let length = UInt32(
            littleEndian: record.loadUnaligned(fromByteOffset: commandLengthOffset, as: UInt32.self))
        guard Int(length) <= record.count - start else { return nil }
        return UnsafeRawBufferPointer(rebasing: record[start..<start + Int(length)])
    }

    /// Reads a record that takes all of the bytes.
    public init(bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        guard bytes.count <= Self.byteCountMax else { throw MalformedBytes(.tooLong, at: Self.byteCountMax) }
        var reader = ByteReader(bytes)
        let version = try reader.byte()
        guard version == Self.version else { throw MalformedBytes(.unknownVersion(version), at: 0) }
        sequence = try reader.uint64()
        let code = try reader.byte()
        rejection = RejectReason(rawValue: code)
        guard sequence > 0, code == 0 || rejection != nil else { throw reader.malformed(.badValue) }
        let commandByteCount = Int(try reader.uint32())
        let start = reader.offset
        do {
            command = EngineCommand(try EngineCommandView(try reader.raw(commandByteCount)))
        } catch { throw MalformedBytes(error.problem, at: start + error.offset) }
        switch try reader.byte() {
        case 0: market = nil
        case 1: market = try MarketScale(&reader)
        default: throw reader.malformed(.badValue)
        }
        let eventCount = Int(try reader.uint32())
        // No event is shorter than three bytes, so that a wrong count takes no memory.
        guard eventCount <= reader.remaining / 3 else { throw reader.malformed(.endsTooSoon) }
        events = []
        events.reserveCapacity(eventCount)
        let account = command.account
        for _ in 0..<eventCount {
            guard let account else { throw reader.malformed(.badValue) }
            events.append(try EngineEvent(&reader, account))
        }
        // Without a market nobody knows what an amount means; only that an order was rejected can be told.
        guard market != nil || rejection != nil || events.isEmpty else { throw reader.malformed(.badValue) }
        try reader.requireEnd()
    }

    /// Appends the record's bytes, as the engine writes them.
    public func write(to writer: inout ByteWriter) {
        writer.byte(Self.version)
        writer.uint64(sequence)
        writer.byte(rejection?.rawValue ?? 0)
        let command = self.command.bytes
        writer.uint32(UInt32(command.count))
        command.withUnsafeBytes { writer.raw($0) }
        writer.byte(market == nil ? 0 : 1)
        if let market { market.write(to: &writer) }
        writer.uint32(UInt32(events.count))
        for event in events { event.write(to: &writer, self.command.account) }
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter()
        write(to: &writer)
        return Array(writer.bytes)
    }
}

extension EngineCommand {
    /// Whose command it is; nil where it is about no account.
    public var account: Identifier? {
        switch action {
        case .setFeeTier(let account, _), .cancel(let account, _): account
        case .deposit(let transfer), .withdraw(let transfer): transfer.account
        case .place(let order): order.account
        case .amend(let amendment): amendment.account
        case .listAsset, .listMarket, .haltMarket, .resumeMarket: nil
        }
    }
}

extension MarketScale {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        symbol = MarketSymbol(view: try reader.marketSymbol())
        baseDecimals = try reader.decimals(Asset.decimalsMax)
        quoteDecimals = try reader.decimals(Asset.decimalsMax)
        priceDecimals = try reader.decimals(DecimalNumber.scaleMax)
        guard let feeRule = FeeRule(code: try reader.byte()) else { throw reader.malformed(.badValue) }
        self.feeRule = feeRule
    }

    /// Appends the bytes that say what a record's amounts mean.
    public func write(to writer: inout ByteWriter) {
        writer.text(symbol.text)
        writer.byte(UInt8(baseDecimals))
        writer.byte(UInt8(quoteDecimals))
        writer.byte(UInt8(priceDecimals))
        writer.byte(feeRule.code)
    }
}

extension EngineEvent {
    /// - Parameter account: that of the command, for which events write nothing.
    fileprivate init(_ reader: inout ByteReader, _ account: Identifier) throws(MalformedBytes) {
        let kind = try reader.byte()
        switch kind {
        case EngineOutput.EventKind.new: self = .new(order: try reader.compact64())
        case EngineOutput.EventKind.hold:
            self = .hold(order: try reader.compact64(), asset: try reader.marketAsset(), amount: try reader.amount())
        case EngineOutput.EventKind.trade: self = .trade(try EngineTrade(&reader, account))
        case EngineOutput.EventKind.release:
            self = .release(
                order: try reader.compact64(), account: try reader.account(account), asset: try reader.marketAsset(),
                amount: try reader.amount())
        case EngineOutput.EventKind.state:
            let order = try reader.compact64()
            let account = try reader.account(account)
            guard let state = OrderState(rawValue: try reader.byte()),
                let cause = OrderStateCause(rawValue: try reader.byte())
            else { throw reader.malformed(.badValue) }
            self = .state(order: order, account: account, state, cause: cause, remaining: try reader.amount())
        case EngineOutput.EventKind.amended:
            self = .amended(
                order: try reader.compact64(), price: try reader.amount(), quantity: try reader.amount(),
                remaining: try reader.amount(), keepsPriority: try reader.boolean())
        default: throw MalformedBytes(.unknownKind(kind), at: reader.offset - 1)
        }
    }

    fileprivate func write(to writer: inout ByteWriter, _ own: Identifier?) {
        func text(_ account: Identifier) -> String { account == own ? "" : account.text }
        switch self {
        case .new(let order):
            writer.byte(EngineOutput.EventKind.new)
            writer.compact(order)
        case .hold(let order, let asset, let amount):
            writer.byte(EngineOutput.EventKind.hold)
            writer.compact(order)
            writer.byte(asset.rawValue)
            writer.amount(amount.units)
        case .trade(let trade):
            writer.byte(EngineOutput.EventKind.trade)
            writer.compact(trade.number)
            writer.compact(trade.makerOrder)
            writer.text(text(trade.makerAccount))
            writer.compact(trade.takerOrder)
            writer.byte(trade.takerSide.rawValue)
            for amount in [trade.price, trade.quantity, trade.quote] { writer.amount(amount.units) }
            writer.signedCompact(trade.makerFee.units)
            writer.signedCompact(trade.takerFee.units)
        case .release(let order, let account, let asset, let amount):
            writer.byte(EngineOutput.EventKind.release)
            writer.compact(order)
            writer.text(text(account))
            writer.byte(asset.rawValue)
            writer.amount(amount.units)
        case .state(let order, let account, let state, let cause, let remaining):
            writer.byte(EngineOutput.EventKind.state)
            writer.compact(order)
            writer.text(text(account))
            writer.byte(state.rawValue)
            writer.byte(cause.rawValue)
            writer.amount(remaining.units)
        case .amended(let order, let price, let quantity, let remaining, let keepsPriority):
            writer.byte(EngineOutput.EventKind.amended)
            writer.compact(order)
            for amount in [price, quantity, remaining] { writer.amount(amount.units) }
            writer.byte(keepsPriority ? 1 : 0)
        }
    }
}

extension EngineTrade {
    fileprivate init(_ reader: inout ByteReader, _ account: Identifier) throws(MalformedBytes) {
        number = try reader.compact64()
        makerOrder = try reader.compact64()
        makerAccount = try reader.account(account)
        takerOrder = try reader.compact64()
        takerAccount = account
        guard let side = OrderSide(rawValue: try reader.byte()) else { throw reader.malformed(.badValue) }
        takerSide = side
        price = try reader.amount()
        quantity = try reader.amount()
        quote = try reader.amount()
        makerFee = try reader.signedAmount()
        takerFee = try reader.signedAmount()
    }
}

extension ByteReader {
    /// An account of an event: that of the command where nothing is written.
    fileprivate mutating func account(_ own: Identifier) throws(MalformedBytes) -> Identifier {
        let start = offset
        guard let text = try optionalIdentifier() else { return own }
        let account = Identifier(view: text)
        // One form each: what may be left out is left out.
        guard account != own else { throw MalformedBytes(.notShortest, at: start) }
        return account
    }

    fileprivate mutating func marketAsset() throws(MalformedBytes) -> MarketAsset {
        guard let asset = MarketAsset(rawValue: try byte()) else { throw malformed(.badValue) }
        return asset
    }

    fileprivate mutating func boolean() throws(MalformedBytes) -> Bool {
        let value = try byte()
        guard value <= 1 else { throw malformed(.badValue) }
        return value == 1
    }
}

extension ByteWriter {
    /// An amount that is not negative.
    @inlinable public mutating func amount(_ units: Int128) {
        compact(UInt128(bitPattern: units))
    }
}
