import CommandKit
import EngineHost
import ServiceKit
import TradeFeed
import TradeModel

/// The simulated market at work: gives its orders to an engine, at a given pace, until it is stopped.
///
/// It waits when the books are too far behind: what the engine publishes has to be kept until it is settled.
actor SimulatedTrading {
    /// The market waits while more records than this are not settled, and goes on at half of them.
    static let lagMax = 20_000
    /// So many orders that take are given at once.
    private static let takersMax = 200
    private static let idleTime = Duration.milliseconds(2)
    private static let statusInterval = Duration.milliseconds(500)

    private let client: EntryClient
    private let engine: EngineAccess
    private let meter: EngineMeter
    private let seed: UInt64
    private let run: String
    private let tradesMax: Int
    private let log: Log
    private var pace: MarketPace
    private var askedAt: ContinuousClock.Instant?
    /// How many trades the engine had made before.
    private var tradesBefore: Int?
    private nonisolated let state = Guarded<(isStopping: Bool, accounts: [Identifier])>((false, []))

    /// - Parameter run: makes the ids of its orders new ones.
    init(
        _ endpoint: String, seed: UInt64, run: String, perSecond: Int, tradesMax: Int?, meter: EngineMeter, log: Log
    ) throws {
        client = try EntryClient(endpoint: endpoint)
        engine = try EngineAccess(Endpoint(text: endpoint))
        self.seed = seed
        self.run = run
        self.tradesMax = tradesMax ?? .max
        self.meter = meter
        self.log = log
        pace = MarketPace(perSecond: perSecond)
    }

    nonisolated var isStopping: Bool { state.withLock { $0.isStopping } }
    /// Those that trade; none before it has begun.
    nonisolated var accounts: [Identifier] { state.withLock { $0.accounts } }

    nonisolated func stop() { state.withLock { $0.isStopping = true } }

    /// Trades until it is stopped or has made as many trades as it should; then nothing of it waits in a book.
    ///
    /// - Parameter mark: the part of the accounts' names where the engine is new; see `SimulatedAccounts`.
    func trade(mark: String) async throws {
        try await askStatus()
        let accounts = try await open(mark: mark)
        state.withLock { $0.accounts = accounts }
        var market = SimulatedMarket(seed: seed, run: run, accounts: accounts)
        _ = try await carryOut(market.opening())
        let start = ContinuousClock.now
        var isHeldBack = false
        while !isStopping, !Task.isCancelled {
            try await askStatus()
            let reading = meter.reading
            guard reading.trades < tradesMax else { break }
            isHeldBack = reading.lag > (isHeldBack ? Self.lagMax / 2 : Self.lagMax)
            meter.isHeldBack(isHeldBack)
            let due = pace.due(at: Int((ContinuousClock.now - start) / .microseconds(1)))
            guard due > 0, !isHeldBack else {
                try await Task.sleep(for: Self.idleTime)
                continue
            }
            let orders = market.orders(
                takers: min(due, Self.takersMax), tradesMax: tradesMax - reading.trades)
            pace.made(try await carryOut(orders))
        }
        meter.isHeldBack(false)
        // What was cancelled ends here; the quotes are taken back all the same.
        _ = try await carryOut(market.closing())
        stop()
        askedAt = nil
        try await askStatus()
    }

    // MARK: - Beginning

    /// Makes sure of markets, and of accounts with money, and returns those.
    private func open(mark: String) async throws -> [Identifier] {
        let asset = AssetSymbol("USDT")!
        let plain = SimulatedAccounts.names("")
        let isPlain = try await engine.ask(.balance(plain[0], asset)).balance != nil
        let accounts = isPlain ? plain : SimulatedAccounts.names(mark)
        guard try await engine.ask(.balance(accounts.last!, asset)).balance == nil else { return accounts }
        for record in try await client.carryOut(SimulatedAccounts.opening(accounts).map(Self.bytes)) {
            switch try Self.output(record).rejection {
            case nil, .alreadyListed, .duplicateOperation: continue
            case let reason?: throw CommandFailure("the engine refuses what the market begins with: \(reason.sentence)")
            }
        }
        return accounts
    }

    // MARK: - Orders

    /// Gives orders to the engine, and says how many trades came of them.
    private func carryOut(_ actions: [EngineCommand.Action]) async throws -> Int {
        let records: [[UInt8]]
        do {
            records = try await client.carryOut(actions.map(Self.bytes))
        } catch {
            guard case .silent = error else { throw error }
            // A machine that stood still for a while, say: what became of them, the engine's status tells.
            log.warning("the engine did not answer in time")
            return 0
        }
        var (orders, trades) = (0, 0)
        var sequence: UInt64 = 0
        for (action, bytes) in zip(actions, records) {
            let record = try Self.output(bytes)
            if case .place = action { orders += 1 }
            sequence = max(sequence, record.sequence)
            for case .trade in record.events { trades += 1 }
        }
        meter.carriedOut(orders: orders, trades: trades, upTo: Int64(sequence))
        return trades
    }

    private func askStatus() async throws {
        if let askedAt, ContinuousClock.now - askedAt < Self.statusInterval { return }
        askedAt = .now
        do {
            let status = try await engine.ask(.status)
            tradesBefore = tradesBefore ?? status.trades
            meter.stands(
                at: status.sequence, openOrders: status.openOrders, trades: status.trades - tradesBefore!)
        } catch let failure as CommandFailure where failure.exit == .unavailable {
            log.warning("the engine did not answer in time")
        }
    }

    /// The engine puts its own time in.
    private static func bytes(_ action: EngineCommand.Action) -> [UInt8] {
        EngineCommand(time: Timestamp(microseconds: 0), action).bytes
    }

    private static func output(_ bytes: [UInt8]) throws -> EngineOutput {
        try bytes.withUnsafeBytes { try EngineOutput(bytes: $0) }
    }
}
