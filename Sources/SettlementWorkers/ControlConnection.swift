import Repository
import ServiceKit
import TradeModel

/// The connection by which a worker process is known: its registration and heartbeat, its claims on PENDING rows, and
/// the notifications that tell of new ones and of what operators do. It connects again by itself after the connection
/// was lost.
actor ControlConnection {
    private let executor = BlockingExecutor(label: "settle.control")
    private let connectionString: String
    let limits: Limits
    private let worker: WorkerIdentity
    private var connection: PostgresConnection?
    /// The server's process for the connection, and those for the ones before it that may still be at work.
    private var backend = ""
    private var lostBackends: Set<String> = []
    /// How many connections there were, and over which of them a stream was leased.
    private var connectionCount = 0
    private var leasedOver = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Registers the process under a number of its own.
    static func register(_ connectionString: String, limits: Limits, version: String) throws(DatabaseError)
        -> (control: ControlConnection, worker: Int64, queue: QueueControl)
    {
        let connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle worker")
        let identity = try WorkerIdentity.register(on: connection, version: version)
        let queue = try QueueControlStore.read(connection)
        return (ControlConnection(connectionString, limits, identity), identity.number, queue)
    }

    private init(_ connectionString: String, _ limits: Limits, _ worker: WorkerIdentity) {
        self.connectionString = connectionString
        self.limits = limits
        self.worker = worker
    }

    /// Says that the process lives, and returns what operators want.
    func beat(_ report: WorkerReport) throws(DatabaseError) -> QueueControl {
        try connected { connection throws(DatabaseError) in
            let answers = try connection.pipeline([
                worker.beat(report), WorkerStore.removeDead, BatchStore.maintain, QueueControlStore.read,
            ])
            try releaseLateClaims(connection)
            return QueueControlStore.decode(answers[3])
        }
    }

    func readQueue() throws(DatabaseError) -> QueueControl {
        try connected { connection throws(DatabaseError) in try QueueControlStore.read(connection) }
    }

    /// Marks rows that nobody works on as ours and returns them in the order in which they came, and how the queue
    /// stands; there are none while it is paused, and none of markets that are halted.
    func claim(upTo limit: Int, hasHaltedMarkets: Bool) throws(DatabaseError) -> (QueueControl, [SettlementItem]) {
        try connected { connection throws(DatabaseError) in
            let answers = try connection.pipeline([
                QueueControlStore.read,
                TradeStore.claim(
                    worker: worker.number, limit: limit,
                    heartbeatTimeoutMilliseconds: limits.heartbeatTimeoutMilliseconds,
                    hasHaltedMarkets: hasHaltedMarkets),
            ])
            return (QueueControlStore.decode(answers[0]), TradeStore.decode(answers[1]).map(\.item))
        }
    }

    func release(_ keys: [TradeKey]) throws(DatabaseError) {
        guard !keys.isEmpty else { return }
        _ = try connected { connection throws(DatabaseError) in
            try connection.query(TradeStore.releaseClaims(keys, worker: worker.number))
        }
    }

    /// Waits a moment for news of PENDING rows or from operators; says whether there were any.
    func awaitNews(milliseconds: Int) throws(DatabaseError) -> Bool {
        try connected { connection throws(DatabaseError) in
            try connection.awaitNotification(milliseconds: milliseconds)
        }
    }

    /// Takes a stream of an engine to follow it; nil while somebody else has it.
    func lease(_ stream: Identifier) throws(DatabaseError) -> FeedLease? {
        try connected { connection throws(DatabaseError) in
            leasedOver = connectionCount
            return FeedStateStore.decodeLease(
                try connection.pipeline(
                    FeedStateStore.lease(
                        stream, worker: worker.number, milliseconds: limits.heartbeatTimeoutMilliseconds)))
        }
    }

    /// Moves a stream's watermark and keeps the lease; false once somebody else has it, or the connection is another.
    ///
    /// Behind another connection there may be another server, a standby that was promoted, without all that we saw
    /// committed. So the books are asked anew where they are, before their watermark is moved.
    func advance(
        _ stream: Identifier, _ lease: FeedLease, to mark: FeedWatermark.Mark, engineEpoch: UInt64, newest: Int64,
        silence: Duration?
    ) throws(DatabaseError) -> Bool {
        try connected { connection throws(DatabaseError) in
            guard leasedOver == connectionCount else { return false }
            let request = FeedStateStore.advance(
                stream, lease, to: mark.sequence, hash: mark.hash, engineEpoch: engineEpoch, newest: newest,
                silence: silence, milliseconds: limits.heartbeatTimeoutMilliseconds)
            return try connection.query(request).affected == 1
        }
    }

    /// Adds what an engine has listed, if it is not there; says what is in its way.
    func enter(_ listing: Listing) throws(DatabaseError) -> String? {
        try connected { connection throws(DatabaseError) in
            switch listing {
            case .asset(let symbol, let decimals):
                try connection.query(CatalogStore.addAsset(symbol, decimals: decimals))
                let known = try CatalogStore.read(connection).assets[symbol]?.decimals
                return known == decimals
                    ? nil : "\(symbol) has \(decimals) decimals in the engine and \(known ?? 0) in the books"
            case .market(let symbol, let priceDecimals, let tick, let lot, let fees):
                if let market = try CatalogStore.read(connection).markets[symbol] {
                    return market.feeRule == fees && market.priceDecimals >= priceDecimals
                        ? nil : "market \(symbol) has other terms in the engine than in the books"
                }
                try connection.query(
                    CatalogStore.addMarket(symbol, priceDecimals: priceDecimals, tick: tick, lot: lot, fees: fees))
                return nil
            }
        }
    }

    /// Lets others follow a stream, or nobody, for a reason; with one that passes we try again.
    func giveUp(_ stream: Identifier, _ lease: FeedLease, because stop: FeedStop? = nil) throws(DatabaseError) {
        try connected { connection throws(DatabaseError) in
            // One pipeline is one transaction.
            switch stop {
            case nil: try connection.query(FeedStateStore.giveUp(stream, lease))
            case .later: try connection.query(FeedStateStore.pause(stream, lease))
            case .halted(let reason):
                try connection.query(FeedStateStore.halt(stream, lease, because: reason))
            case .notKept(let reason, let oldest):
                _ = try connection.pipeline([
                    FeedGapStore.note(stream, lease, upTo: oldest - 1),
                    FeedStateStore.halt(stream, lease, because: reason),
                ])
            }
        }
    }

    /// Signs off; what the process had claimed is free at once.
    func leave() {
        _ = try? connected { connection throws(DatabaseError) in
            try connection.query(WorkerStore.leave(worker.number))
        }
        connection = nil
    }

    func connected<Value>(
        _ body: (PostgresConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        do throws(DatabaseError) {
            if self.connection == nil { self.connection = try open() }
            return try body(self.connection!)
        } catch {
            // Whatever went wrong, a new connection is free of it; nothing here fails in the course of work.
            if connection != nil { lostBackends.insert(backend) }
            connection = nil
            throw error
        }
    }

    private func open() throws(DatabaseError) -> PostgresConnection {
        let connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle worker")
        // A claim whose answer was lost with the connection before would be nobody's: ours, and unknown to us.
        let answers = try connection.pipeline(
            [BackendStore.own] + WorkerStore.listen + [TradeStore.releaseAllClaims(of: worker.number)])
        backend = BackendStore.decodeOwn(answers[0])
        connectionCount += 1
        return connection
    }

    /// The server may still have been at such a claim, and have committed it since.
    private func releaseLateClaims(_ connection: PostgresConnection) throws(DatabaseError) {
        guard !lostBackends.isEmpty else { return }
        let remaining = try BackendStore.remaining(of: lostBackends, connection)
        guard remaining.count < lostBackends.count else { return }
        lostBackends = remaining
        try connection.query(TradeStore.releaseAllClaims(of: worker.number))
    }
}

extension RecordedTrade {
    /// The row as an item to be settled. What no message could have said is refused, and parked under the row's key.
    var item: SettlementItem {
        let origin = SettlementItem.Origin.pending(receivedSequence: receivedSequence, attempts: attempts)
        guard let trade else {
            return SettlementItem(
                .refused(
                    RefusedMessage(
                        Rejection(.invalid, "the row holds a number or a name that a trade cannot have"),
                        market: key.market.text, tradeID: key.id.text)),
                origin: origin)
        }
        return SettlementItem(.trade(trade), origin: origin)
    }
}
