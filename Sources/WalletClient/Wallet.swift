import Repository
import ServiceKit
import TradeModel

/// What a wallet needs to know to settle.
public struct WalletConfiguration: Sendable {
    public var connectionString: String
    public var limits: Limits
    /// The number under which this process is registered, when it is.
    public var worker: Int64?
    /// Who parks a trade, for the history of its letter.
    public var actor: String
    public var log: Log
    /// Once fired, nothing is settled any more: trades are stored, to wait as PENDING.
    let storeOnly = OneShot()
    /// Writes a trade as it would have been received, for the letter of one that came from a table.
    public var render: @Sendable (Trade) -> [UInt8]

    public init(
        connectionString: String, limits: Limits = Limits(), worker: Int64? = nil, actor: String, log: Log = .silent,
        render: @escaping @Sendable (Trade) -> [UInt8]
    ) {
        self.connectionString = connectionString
        self.limits = limits
        self.worker = worker
        self.actor = actor
        self.log = log
        self.render = render
    }
}

/// One connection that moves money, on a thread of its own. It connects when it is first needed, and again after
/// the connection was lost.
public actor Wallet {
    private let executor = BlockingExecutor(label: "settle.wallet")
    private let configuration: WalletConfiguration
    private let cache: AccountCache
    private var session: WalletSession? {
        didSet {
            let (interrupter, backend) = (session?.interrupter(), session?.connection.backend)
            self.interrupter.withLock { $0 = interrupter }
            currentBackend.withLock { $0 = backend }
        }
    }
    /// Outside the actor, which is busy when it is to be interrupted.
    private let interrupter = Guarded<StatementInterrupter?>(nil)
    private let currentBackend = Guarded<Int32?>(nil)

    /// The number of PostgreSQL's process at the other end of the connection, if there is one.
    nonisolated var backend: Int32? { currentBackend.withLock { $0 } }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter cache: what is remembered of accounts; wallets of one process share it.
    public init(_ configuration: WalletConfiguration, cache: AccountCache? = nil) {
        self.configuration = configuration
        self.cache = cache ?? AccountCache(countMax: configuration.limits.cachedBalancesMax)
    }

    public func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber? = nil, in turn: Turn = Turn()
    ) throws(WalletError) -> [Outcome] {
        try inSession { session throws(WalletError) in try session.settle(batch, resolving: lostBatch, in: turn) }
    }

    /// Says what would become of a batch if it were settled now.
    ///
    /// - Parameter lookingAtClaims: whether what was settled or parked before counts as a duplicate.
    public func preview(_ batch: [SettlementItem], lookingAtClaims: Bool = true) throws(WalletError) -> [Outcome] {
        try inSession { session throws(WalletError) in
            try session.preview(batch, lookingAtClaims: lookingAtClaims)
        }
    }

    /// Parks an item for a reason that does not lie in what it says.
    public func park(_ item: SettlementItem, because rejection: Rejection, after tries: [FailedAttempt])
        throws(WalletError) -> Outcome
    {
        var parking = Parking(rejection: rejection, tries: tries)
        do {
            return try park(item, parking)
        } catch .reject(let fault) {
            // Not even its row can be written; the letter alone can hold anything.
            guard item.receivedSequence == nil else { throw .reject(fault) }
            parking.isStored = false
            return try park(item, parking)
        }
    }

    /// Parks items together, in one transaction.
    func park(_ items: [SettlementItem], because rejection: Rejection) throws(WalletError) -> [Outcome] {
        try inSession { session throws(WalletError) in
            try session.settle(items, resolving: nil, parking: Parking(rejection: rejection))
        }
    }

    private func park(_ item: SettlementItem, _ parking: Parking) throws(WalletError) -> Outcome {
        try inSession { session throws(WalletError) in
            try session.settle([item], resolving: nil, parking: parking)[0]
        }
    }

    /// What a customer has, in each asset in which it ever had anything; nil when there is no such account.
    public func balances(of account: Identifier) throws(WalletError) -> [AccountBalance]? {
        try inSession { session throws(WalletError) in
            do throws(DatabaseError) { return try session.balances(of: account) } catch { throw WalletError(error) }
        }
    }

    /// Asks whether the database answers.
    func probe() throws(WalletError) {
        try inSession { session throws(WalletError) in
            do throws(DatabaseError) { try session.probe() } catch { throw WalletError(error) }
        }
    }

    /// Stops the statement that the database is at, if any: its transaction is rolled back. Blocks for a moment.
    nonisolated func interrupt() {
        interrupter.withLock { $0 }?.interrupt()
    }

    /// Leaves the database.
    public func close() {
        session = nil
    }

    func inSession<Value>(_ body: (WalletSession) throws(WalletError) -> Value) throws(WalletError) -> Value {
        let session: WalletSession
        if let open = self.session {
            session = open
        } else {
            do throws(DatabaseError) {
                session = try WalletSession(configuration, cache)
                // Behind a new connection there may be another server than behind those before it, whichever wallet
                // had them, and one without all that we saw committed: there an account's number may be another's.
                cache.contents.withLock { $0.forget() }
            } catch { throw .unavailable(DatabaseFault(error)) }
            self.session = session
        }
        do {
            return try body(session)
        } catch {
            switch error {
            case .unavailable, .findOut: self.session = nil
            case .retry, .reject, .overtaken, .outOfTurn: break
            }
            throw error
        }
    }
}
