import HashChain
import TradeModel

/// The exchange itself: accounts with their money, books with their orders, and the rules by which orders meet.
///
/// It is a pure function of its inputs. A command comes in as bytes and one record goes out as bytes, numbered and
/// chained by hash; there is no clock, no randomness and no I/O in it, so that the same commands make the same records
/// on any machine. The way of a command:
///
///     bytes ─► EngineCommandView: checked, nothing copied ─► a method for its kind: every reason to reject it is
///     found before anything changes ─► funds held, orders matched, each event written as it happens ─► the record's
///     bytes, their hash
///
/// What takes part in that way is `mutating` or inlined, also where it changes nothing: for a call that only looks, a
/// value that cannot be copied is all the same moved to the stack, each time the whole of it.
///
/// Inside there are only dense numbers: accounts, balances, orders and price levels are places in slabs, found by hash
/// where they come in by name. Texts are looked at on the way in and copied on the way out.
public struct MatchingEngine: ~Copyable {
    /// The number of the last record; that of the next command's is one more.
    public private(set) var sequence: UInt64 = 0
    var chain = HashChain.start
    public let limits: EngineLimits

    var assets: [ListedAsset] = []
    var totals = Slab<AssetTotals>()
    var markets = MarketList()
    var book = AccountBook()
    var orders = Slab<RestingOrder>(capacity: 1_024)
    var orderIndex = HashIndex(capacity: 1_024)
    var levels = Slab<PriceLevel>(capacity: 256)
    var clientIDs: RememberedIDs
    var operationKeys = OperationKeys()
    /// How many trades there were.
    public internal(set) var tradeCount: UInt64 = 0

    var output = ByteWriter(capacity: 1 << 16)
    /// Where the record at hand says how many events it has, and how many that are.
    private var eventCountOffset = 0
    var eventCount: UInt32 = 0
    /// The market that the record at hand is about, as far as it is known.
    var subject: UnsafeMutablePointer<MarketState>?
    var announced = AnnouncedCommands()

    public init(limits: EngineLimits = EngineLimits()) {
        self.limits = limits
        clientIDs = RememberedIDs(endedCountMax: limits.endedOrderIDCountMax)
    }

    /// Of all records up to the last.
    public var hash: UInt64 { chain.value }

    /// Carries out a command and returns its record, which is valid until the next command.
    ///
    /// Bytes that are no command make no record and change nothing.
    public mutating func apply(
        _ command: UnsafeRawBufferPointer
    ) throws(MalformedBytes) -> UnsafeRawBufferPointer {
        // Nearly all commands place an order or cancel one: they go by a shorter way.
        switch command.count > EngineCommand.bodyOffset ? command[EngineCommand.kindOffset] : 0 {
        case EngineCommand.Kind.place:
            let request = try EngineCommandView.OrderRequestView(command: command)
            beginRecord(command)
            do {
                try place(request)
            } catch {
                reject(command, error)
                // A rejected order has a state too, and its number is that of its record, as every order's is.
                writeState(sequence, account: nil, .rejected, .none, remaining: 0)
            }
        case EngineCommand.Kind.cancel:
            let cancellation = try EngineCommandView.CancellationView(command: command)
            beginRecord(command)
            do {
                try cancel(cancellation)
            } catch { reject(command, error) }
        default:
            let view = try EngineCommandView(command)
            beginRecord(command)
            do {
                try carryOut(view.action, command)
            } catch { reject(command, error) }
        }
        output.replaceUInt32(at: eventCountOffset, eventCount)
        chain.append(output.bytes)
        return output.bytes
    }

    private mutating func reject(_ command: UnsafeRawBufferPointer, _ reason: RejectReason) {
        output.truncate(to: Self.commandOffset + command.count)
        output.replaceByte(at: Self.outcomeOffset, reason.rawValue)
        beginEvents()
    }

    mutating func restored(sequence: UInt64) {
        self.sequence = sequence
    }

    /// Where in a record its outcome and its command stand.
    private static let outcomeOffset = 9
    private static let commandOffset = 14

    private mutating func beginRecord(_ command: UnsafeRawBufferPointer) {
        sequence += 1
        subject = nil
        output.truncate(to: 0)
        var cursor = output.cursor(reserving: Self.commandOffset + command.count)
        cursor.byte(EngineOutput.version)
        cursor.uint64(sequence)
        cursor.byte(0)
        cursor.uint32(UInt32(command.count))
        cursor.raw(command)
        output.advance(to: cursor)
    }

    /// From here on events are written: the command is accepted.
    mutating func beginEvents() {
        var cursor = output.cursor(reserving: 1 + MarketState.scaleByteCountMax + 4)
        if let subject {
            cursor.byte(1)
            cursor.words(subject.pointee.scale, subject.pointee.scaleByteCount)
        } else {
            cursor.byte(0)
        }
        output.advance(to: cursor)
        eventCountOffset = output.count
        eventCount = 0
        cursor.uint32(0)
        output.advance(to: cursor)
    }

    private mutating func carryOut(
        _ action: EngineCommandView.Action, _ command: UnsafeRawBufferPointer
    ) throws(RejectReason) {
        switch action {
        case .place(let request): try place(request)
        case .cancel(let cancellation): try cancel(cancellation)
        case .amend(let amendment): try amend(amendment)
        case .deposit(let transfer): try deposit(transfer, command)
        case .withdraw(let transfer): try withdraw(transfer, command)
        case .listAsset(let symbol, let decimals): try listAsset(symbol, decimals)
        case .listMarket(let view): try listMarket(view.listing)
        case .setFeeTier(let account, let tier): try setFeeTier(account, tier)
        case .haltMarket(let market): try setHalted(market, true)
        case .resumeMarket(let market): try setHalted(market, false)
        }
    }
}

/// How much an engine remembers. Engines that are to agree must have the same limits.
public struct EngineLimits: Hashable, Sendable {
    /// The owners' ids of so many orders that ended are remembered and refused. Those of open orders always are.
    public var endedOrderIDCountMax: Int

    public init(endedOrderIDCountMax: Int = 1 << 16) {
        precondition((0...1 << 30).contains(endedOrderIDCountMax))
        self.endedOrderIDCountMax = endedOrderIDCountMax
    }
}

/// An asset that can be owned here.
struct ListedAsset {
    let symbol: AssetSymbol
    let decimals: Int

    static let countMax = 10_000
    /// So much of an asset may come in, and so deep may the house be in debt when it gives another rebate. No balance
    /// can leave 38 digits then, whatever is traded.
    static let unitsMax: Int128 = powerOfTen(36)
}

/// What the house earned of an asset, and what came in from outside, which is counted below zero.
struct AssetTotals: BitwiseCopyable {
    var house: Int128 = 0
    var world: Int128 = 0
}
