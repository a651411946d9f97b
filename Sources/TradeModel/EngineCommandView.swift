/// A command as it stands in its bytes: checked, and without a copy of its texts, so that reading it takes no memory.
///
/// It is valid as long as the bytes are.
public struct EngineCommandView {
    public typealias Text = UnsafeRawBufferPointer

    public var time: Timestamp
    public var action: Action

    public enum Action {
        case listAsset(symbol: Text, decimals: Int)
        /// The listing is seldom needed, and read again then.
        case listMarket(MarketListingView)
        case setFeeTier(account: Text, tier: UInt8)
        case deposit(TransferView)
        case withdraw(TransferView)
        case place(OrderRequestView)
        case cancel(CancellationView)
        case amend(AmendmentView)
        case haltMarket(Text)
        case resumeMarket(Text)
    }

    public struct MarketListingView {
        fileprivate var body: Text

        public var listing: MarketListing {
            var reader = ByteReader(body)
            guard let listing = try? MarketListing(&reader) else { preconditionFailure("it was read before") }
            return listing
        }
    }

    public struct TransferView {
        public var key: Text
        public var account: Text
        public var asset: Text
        public var amount: DecimalNumber
    }

    public struct OrderRequestView {
        public var account: Text
        public var clientOrderID: Text?
        public var market: Text
        public var side: OrderSide
        public var kind: OrderKind
        public var timeInForce: TimeInForce
        public var price: DecimalNumber?
        public var quantity: DecimalNumber?
        public var budget: DecimalNumber?
    }

    public enum OrderReferenceView {
        case number(UInt64)
        case clientOrderID(Text)
    }

    public struct CancellationView {
        public var account: Text
        public var order: OrderReferenceView
    }

    public struct AmendmentView {
        public var account: Text
        public var order: OrderReferenceView
        public var price: DecimalNumber?
        public var quantity: DecimalNumber?
    }

    /// Reads a command that takes all of the bytes.
    public init(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        guard bytes.count <= EngineCommand.byteCountMax else {
            throw MalformedBytes(.tooLong, at: EngineCommand.byteCountMax)
        }
        var reader = ByteReader(bytes)
        let version = try reader.byte()
        guard version == EngineCommand.version else { throw MalformedBytes(.unknownVersion(version), at: 0) }
        let kind = try reader.byte()
        time = Timestamp(microseconds: Int64(bitPattern: try reader.uint64()))
        switch kind {
        case EngineCommand.Kind.place: action = .place(try OrderRequestView(&reader))
        case EngineCommand.Kind.cancel:
            action = .cancel(try CancellationView(&reader))
        case EngineCommand.Kind.amend: action = .amend(try AmendmentView(&reader))
        case EngineCommand.Kind.deposit: action = .deposit(try TransferView(&reader))
        case EngineCommand.Kind.withdraw: action = .withdraw(try TransferView(&reader))
        case EngineCommand.Kind.listAsset:
            action = .listAsset(symbol: try reader.assetSymbol(), decimals: try reader.decimals(Asset.decimalsMax))
        case EngineCommand.Kind.listMarket: action = .listMarket(try MarketListingView(&reader))
        case EngineCommand.Kind.setFeeTier:
            action = .setFeeTier(account: try reader.identifier(), tier: try reader.byte())
        case EngineCommand.Kind.haltMarket: action = .haltMarket(try reader.marketSymbol())
        case EngineCommand.Kind.resumeMarket: action = .resumeMarket(try reader.marketSymbol())
        default: throw MalformedBytes(.unknownKind(kind), at: 1)
        }
        try reader.requireEnd()
    }
}

/// What a command that places or changes an order is about, told at a glance: most of it is not read, and nothing is
/// checked but that the bytes are there.
public enum EngineCommandGlance {
    case place(account: EngineCommandView.Text, client: EngineCommandView.Text)
    case change(account: EngineCommandView.Text, order: EngineCommandView.OrderReferenceView)

    public init?(_ command: UnsafeRawBufferPointer) {
        guard command.count > EngineCommand.bodyOffset else { return nil }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: command[EngineCommand.bodyOffset...]))
        do {
            switch command[EngineCommand.kindOffset] {
            case EngineCommand.Kind.place:
                self = .place(
                    account: try reader.raw(Int(try reader.byte())), client: try reader.raw(Int(try reader.byte())))
            case EngineCommand.Kind.cancel, EngineCommand.Kind.amend:
                self = .change(
                    account: try reader.raw(Int(try reader.byte())),
                    order: try EngineCommandView.OrderReferenceView(&reader))
            default: return nil
            }
        } catch { return nil }
    }
}

extension EngineCommandView.MarketListingView {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        let start = reader.offset
        _ = try MarketListing(&reader)
        body = UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.offset])
    }
}

extension EngineCommandView.TransferView {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        key = try reader.identifier()
        account = try reader.identifier()
        asset = try reader.assetSymbol()
        amount = try reader.decimal()
    }
}

extension EngineCommandView.OrderRequestView {
    /// Reads a command that places an order, and is nothing else.
    public init(command: UnsafeRawBufferPointer) throws(MalformedBytes) {
        var reader = try ByteReader(command: command, EngineCommand.Kind.place)
        self = try Self(&reader)
        try reader.requireEnd()
    }

    @inline(__always) fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        account = try reader.identifier()
        clientOrderID = try reader.optionalIdentifier()
        market = try reader.marketSymbol()
        let flags = try reader.byte()
        guard flags < 1 << 7, let side = OrderSide(rawValue: flags & 1), let kind = OrderKind(rawValue: flags >> 1 & 1),
            let timeInForce = TimeInForce(rawValue: flags >> 2 & 3)
        else { throw reader.malformed(.badValue) }
        self.side = side
        self.kind = kind
        self.timeInForce = timeInForce
        price = flags & 1 << 4 == 0 ? nil : try reader.decimal()
        quantity = flags & 1 << 5 == 0 ? nil : try reader.decimal()
        budget = flags & 1 << 6 == 0 ? nil : try reader.decimal()
    }
}

extension EngineCommandView.OrderReferenceView {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        switch try reader.byte() {
        case 0: self = .number(try reader.compact64())
        case 1: self = .clientOrderID(try reader.identifier())
        default: throw reader.malformed(.badValue)
        }
    }
}

extension EngineCommandView.CancellationView {
    /// Reads a command that cancels an order, and is nothing else.
    public init(command: UnsafeRawBufferPointer) throws(MalformedBytes) {
        var reader = try ByteReader(command: command, EngineCommand.Kind.cancel)
        self = try Self(&reader)
        try reader.requireEnd()
    }

    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        account = try reader.identifier()
        order = try EngineCommandView.OrderReferenceView(&reader)
    }
}

extension EngineCommandView.AmendmentView {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        account = try reader.identifier()
        order = try EngineCommandView.OrderReferenceView(&reader)
        let flags = try reader.byte()
        guard flags < 1 << 2 else { throw reader.malformed(.badValue) }
        price = flags & 1 == 0 ? nil : try reader.decimal()
        quantity = flags & 1 << 1 == 0 ? nil : try reader.decimal()
    }
}

extension MarketListing {
    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        guard let symbol = MarketSymbol(utf8: try reader.marketSymbol().bindMemory(to: UInt8.self)) else {
            throw reader.malformed(.badText)
        }
        self.symbol = symbol
        tick = try reader.decimal()
        lot = try reader.decimal()
        quantityMin = try reader.decimal()
        quantityMax = try reader.decimal()
        priceMax = try reader.decimal()
        guard let feeRule = FeeRule(code: try reader.byte()),
            let selfTradeRule = SelfTradeRule(rawValue: try reader.byte())
        else { throw reader.malformed(.badValue) }
        self.feeRule = feeRule
        self.selfTradeRule = selfTradeRule
        let tierCount = Int(try reader.byte())
        guard (1...Self.feeTierCountMax).contains(tierCount) else { throw reader.malformed(.badValue) }
        fees = []
        for _ in 0..<tierCount {
            let maker = Int32(bitPattern: try reader.uint32())
            let taker = Int32(bitPattern: try reader.uint32())
            fees.append(TradingFees(maker: maker, taker: taker))
        }
    }
}

extension ByteReader {
    /// Begins at the fields of a command of one kind.
    fileprivate init(command: UnsafeRawBufferPointer, _ expected: UInt8) throws(MalformedBytes) {
        guard command.count <= EngineCommand.byteCountMax else {
            throw MalformedBytes(.tooLong, at: EngineCommand.byteCountMax)
        }
        self.init(command)
        let version = try byte()
        guard version == EngineCommand.version else { throw MalformedBytes(.unknownVersion(version), at: 0) }
        let kind = try byte()
        guard kind == expected else { throw MalformedBytes(.unknownKind(kind), at: 1) }
        _ = try uint64()
    }

    mutating func decimals(_ maximum: Int) throws(MalformedBytes) -> Int {
        let value = Int(try byte())
        guard value <= maximum else { throw malformed(.badValue) }
        return value
    }
}

extension FeeRule {
    /// Its number in messages.
    var code: UInt8 { self == .received ? 0 : 1 }

    init?(code: UInt8) {
        switch code {
        case 0: self = .received
        case 1: self = .quote
        default: return nil
        }
    }
}
