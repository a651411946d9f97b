import Dispatch
import Repository
import ServiceKit
import TradeModel

/// The wallets of a process behind one circuit breaker. A batch leases one; with all of them busy it waits its turn.
public actor WalletPool: SettlementWallet {
    let all: [Wallet]
    /// Which worker has which wallet at the moment.
    private(set) var holders: [ObjectIdentifier: Int] = [:]
    private var idle: [Wallet]
    private var waiting: [CheckedContinuation<Wallet, Never>] = []
    private var breaker: CircuitBreaker
    private var outage = Outage()
    private let clock = ContinuousClock()
    private let log: Log
    private let storingOnly: OneShot

    /// - Parameter connectionCount: how many connections settle; at least one.
    public init(_ configuration: WalletConfiguration, connectionCount: Int) {
        let cache = AccountCache(countMax: configuration.limits.cachedBalancesMax)
        all = (0..<max(1, connectionCount)).map { _ in Wallet(configuration, cache: cache) }
        idle = all
        breaker = CircuitBreaker(configuration.limits)
        log = configuration.log
        storingOnly = configuration.storeOnly
    }

    /// From now on nothing is settled: what is brought is stored, to wait as PENDING.
    public nonisolated func storeOnly() {
        storingOnly.fire()
    }

    public func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn = Turn()
    ) async throws(WalletError) -> [Outcome] {
        // From there on the one before waits for nobody; until then others can use the connection.
        guard await turn.untilPredecessor(.written) else { throw .outOfTurn }
        return try await onWallet { wallet throws(WalletError) in
            try await wallet.settle(batch, resolving: lostBatch, in: turn)
        }
    }

    public func park(
        _ item: SettlementItem, because rejection: Rejection, after tries: [FailedAttempt]
    ) async throws(WalletError) -> Outcome {
        do throws(WalletError) {
            return try await onWallet { wallet throws(WalletError) in
                try await wallet.park(item, because: rejection, after: tries)
            }
        } catch .reject(let fault) {
            // Something in the database that is not ours refuses what is written to the dead letters.
            log.error(
                "cannot be parked, is tried again and again",
                [
                    "trade": item.tradeKey?.description ?? "-", "class": rejection.failureClass.rawValue,
                    "reason": fault.description,
                ])
            throw .reject(fault)
        }
    }

    /// Writes items to the dead letters because there was no room for them. Should one of them not go with the others,
    /// each goes alone.
    public func park(_ items: [SettlementItem], because rejection: Rejection) async throws(WalletError) -> [Outcome] {
        do throws(WalletError) {
            return try await onWallet { wallet throws(WalletError) in try await wallet.park(items, because: rejection) }
        } catch .reject(let fault) {
            guard items.count > 1 else { throw .reject(fault) }
            var outcomes: [Outcome] = []
            for item in items { outcomes.append(try await park(item, because: rejection, after: [])) }
            return outcomes
        }
    }

    public func untilAvailable() async throws(CancellationError) {
        while true {
            guard !Task.isCancelled else { throw CancellationError() }
            switch breaker.permission(at: clock.now) {
            case .ask:
                return
            case .probe:
                let wallet = await lease()
                do throws(WalletError) {
                    try await wallet.probe()
                    succeeded(hasWritten: false)
                } catch {
                    failed(error)
                }
                giveBack(wallet)
            case .wait(let pause):
                do { try await Task.sleep(for: pause, clock: clock) } catch { throw CancellationError() }
            }
        }
    }

    /// Whether the database is asked as usual.
    public var isAvailable: Bool { breaker.isClosed }

    /// Takes over the limits of the circuit breaker.
    public func reload(_ limits: Limits) {
        breaker.reload(limits)
    }

    /// Leaves the database, after the batches in work.
    public func close() async {
        for wallet in all { await wallet.close() }
    }

    /// Stops what the database is at for us; what was not committed is rolled back and may be tried again.
    public nonisolated func interrupt() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [all] in
                for wallet in all { wallet.interrupt() }
                continuation.resume()
            }
        }
    }

    private func onWallet<Value: Sendable>(
        _ body: (Wallet) async throws(WalletError) -> Value
    ) async throws(WalletError) -> Value {
        let wallet = await lease()
        holders[ObjectIdentifier(wallet)] = CurrentWorker.number
        defer { giveBack(wallet) }
        do {
            let value = try await body(wallet)
            succeeded()
            return value
        } catch {
            switch error {
            case .unavailable, .findOut: failed(error)
            case .retry, .reject:
                log.warning("batch failed", ["reason": error.fault?.description ?? ""])
                succeeded()
            case .overtaken, .outOfTurn: break
            }
            throw error
        }
    }

    private func succeeded(hasWritten: Bool = true) {
        if outage.ended(hasWritten: hasWritten) { log.info("database is back") }
        breaker.succeeded()
    }

    private func failed(_ error: WalletError) {
        breaker.failed(at: clock.now)
        if let event = outage.failed(error.fault, at: clock.now) {
            log.warning(event, ["reason": error.fault?.description ?? ""])
        }
    }

    private func lease() async -> Wallet {
        if let wallet = idle.popLast() { return wallet }
        return await withCheckedContinuation { waiting.append($0) }
    }

    private func giveBack(_ wallet: Wallet) {
        holders[ObjectIdentifier(wallet)] = nil
        if waiting.isEmpty { idle.append(wallet) } else { waiting.removeFirst().resume(returning: wallet) }
    }
}
