extension EngineCommand {
    public static let version: UInt8 = 1
    public static let kindOffset = 1
    /// Where the command's own fields begin, behind version, kind and time.
    public static let bodyOffset = 10

    /// The numbers of the wire, which never change.
    public enum Kind {
        public static let listAsset: UInt8 = 1
        public static let listMarket: UInt8 = 2
        public static let setFeeTier: UInt8 = 3
        public static let deposit: UInt8 = 4
        public static let withdraw: UInt8 = 5
        public static let place: UInt8 = 6
        public static let cancel: UInt8 = 7
        public static let amend: UInt8 = 8
        public static let haltMarket: UInt8 = 9
        public static let resumeMarket: UInt8 = 10
    }

    private var kind: UInt8 {
        switch action {
        case .listAsset: Kind.listAsset
        case .listMarket: Kind.listMarket
        case .setFeeTier: Kind.setFeeTier
        case .deposit: Kind.deposit
        case .withdraw: Kind.withdraw
        case .place: Kind.place
        case .cancel: Kind.cancel
        case .amend: Kind.amend
        case .haltMarket: Kind.haltMarket
        case .resumeMarket: Kind.resumeMarket
        }
    }

    /// Appends the command's bytes.
    public func write(to writer: inout ByteWriter) {
        writer.byte(Self.version)
        writer.byte(kind)
        writer.uint64(UInt64(bitPattern: time.microseconds))
        switch action {
        case .listAsset(let symbol, let decimals):
            writer.text(symbol.text)
            writer.byte(UInt8(decimals))
        case .listMarket(let listing): listing.write(to: &writer)
        case .setFeeTier(let account, let tier):
            writer.text(account.text)
            writer.byte(tier)
        case .deposit(let transfer), .withdraw(let transfer):
            writer.text(transfer.key.text)
            writer.text(transfer.account.text)
            writer.text(transfer.asset.text)
            writer.decimal(transfer.amount)
        case .place(let order): order.write(to: &writer)
        case .cancel(let account, let order):
            writer.text(account.text)
            order.write(to: &writer)
        case .amend(let amendment):
            writer.text(amendment.account.text)
            amendment.order.write(to: &writer)
            writer.byte((amendment.price == nil ? 0 : 1) | (amendment.quantity == nil ? 0 : 2))
            if let price = amendment.price { writer.decimal(price) }
            if let quantity = amendment.quantity { writer.decimal(quantity) }
        case .haltMarket(let market), .resumeMarket(let market): writer.text(market.text)
        }
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 256)
        write(to: &writer)
        return Array(writer.bytes)
    }

    public init(bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        self.init(try EngineCommandView(bytes))
    }

    /// Copies what a view shows.
    public init(_ view: EngineCommandView) {
        time = view.time
        action =
            switch view.action {
            case .listAsset(let symbol, let decimals): .listAsset(symbol: AssetSymbol(view: symbol), decimals: decimals)
            case .listMarket(let view): .listMarket(view.listing)
            case .setFeeTier(let account, let tier): .setFeeTier(account: Identifier(view: account), tier: tier)
            case .deposit(let transfer): .deposit(Transfer(transfer))
            case .withdraw(let transfer): .withdraw(Transfer(transfer))
            case .place(let order): .place(OrderRequest(order))
            case .cancel(let cancellation):
                .cancel(account: Identifier(view: cancellation.account), order: OrderReference(cancellation.order))
            case .amend(let amendment):
                .amend(
                    Amendment(
                        account: Identifier(view: amendment.account), order: OrderReference(amendment.order),
                        price: amendment.price, quantity: amendment.quantity))
            case .haltMarket(let market): .haltMarket(MarketSymbol(view: market))
            case .resumeMarket(let market): .resumeMarket(MarketSymbol(view: market))
            }
    }
}

extension ByteWriter {
    mutating func decimal(_ number: DecimalNumber) {
        byte(UInt8(number.scale))
        signedCompact(number.coefficient)
    }
}

extension MarketListing {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.text(symbol.text)
        for number in [tick, lot, quantityMin, quantityMax, priceMax] { writer.decimal(number) }
        writer.byte(feeRule.code)
        writer.byte(selfTradeRule.rawValue)
        writer.byte(UInt8(fees.count))
        for fee in fees {
            writer.uint32(UInt32(bitPattern: fee.maker))
            writer.uint32(UInt32(bitPattern: fee.taker))
        }
    }
}

extension OrderRequest {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.text(account.text)
        writer.text(clientOrderID?.text ?? "")
        writer.text(market.text)
        let terms = side.rawValue | kind.rawValue << 1 | timeInForce.rawValue << 2
        let given = (price == nil ? 0 : 1 << 4) | (quantity == nil ? 0 : 1 << 5) | (budget == nil ? 0 : 1 << 6)
        writer.byte(terms | UInt8(given))
        if let price { writer.decimal(price) }
        if let quantity { writer.decimal(quantity) }
        if let budget { writer.decimal(budget) }
    }

    fileprivate init(_ view: EngineCommandView.OrderRequestView) {
        self.init(
            account: Identifier(view: view.account), clientOrderID: view.clientOrderID.map { Identifier(view: $0) },
            market: MarketSymbol(view: view.market), side: view.side, kind: view.kind, timeInForce: view.timeInForce,
            price: view.price, quantity: view.quantity, budget: view.budget)
    }
}

extension OrderReference {
    fileprivate func write(to writer: inout ByteWriter) {
        switch self {
        case .number(let number):
            writer.byte(0)
            writer.compact(number)
        case .clientOrderID(let id):
            writer.byte(1)
            writer.text(id.text)
        }
    }

    fileprivate init(_ view: EngineCommandView.OrderReferenceView) {
        switch view {
        case .number(let number): self = .number(number)
        case .clientOrderID(let id): self = .clientOrderID(Identifier(view: id))
        }
    }
}

extension Transfer {
    fileprivate init(_ view: EngineCommandView.TransferView) {
        self.init(
            key: Identifier(view: view.key), account: Identifier(view: view.account),
            asset: AssetSymbol(view: view.asset), amount: view.amount)
    }
}

extension Identifier {
    /// Copies a text that was checked when its bytes were read.
    init(view: UnsafeRawBufferPointer) {
        self.init(stored: String(decoding: view, as: UTF8.self))
    }
}

extension AssetSymbol {
    fileprivate init(view: UnsafeRawBufferPointer) {
        self.init(String(decoding: view, as: UTF8.self))!
    }
}

extension MarketSymbol {
    init(view: UnsafeRawBufferPointer) {
        self.init(utf8: view.bindMemory(to: UInt8.self))!
    }
}

extension EngineCommand {
    /// Puts a time into a command's bytes in place of the one there. What is too short for one stays as it is, and is
    /// no command.
    public static func stamp(_ bytes: inout [UInt8], with time: Timestamp) {
        guard bytes.count >= bodyOffset else { return }
        let value = UInt64(bitPattern: time.microseconds)
        for place in 0..<8 { bytes[bodyOffset - 8 + place] = UInt8(truncatingIfNeeded: value >> (8 * place)) }
    }
}
