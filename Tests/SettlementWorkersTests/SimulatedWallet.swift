import ServiceKit
import TradeModel
import WalletClient

@testable import SettlementWorkers

/// A bank in memory that keeps the wallet's contract and checks the pool's, over a network that breaks as it likes.
actor SimulatedWallet: SettlementWallet {
    struct Faults {
        /// Chances in a hundred, for each call.
        var passing = 0
        var unanswered = 0
        var outage = 0
        var overtaken = 0
    }

    enum Poison { case data, stubborn, odd }

    enum End: Hashable { case settled, rejected, parked(FailureClass) }

    private let clock: ManualClock
    private let faults: Faults
    private let attemptsMax: Int
    private let batchSizeMax: Int
    private let submitterCount: Int
    private let poison: [Int: Poison]
    private var generator: SeededGenerator

    private(set) var ends: [Int: End] = [:]
    private(set) var balances: [Identifier: Int] = [:]
    private(set) var violations: [String] = []
    /// Failures of an item that was alone, since it was last in a pool.
    private var failuresAlone: [Int: Int] = [:]
    private var accountsInWork: Set<Identifier> = []
    private var lastOfAccount: [Identifier: [Int: Int]] = [:]
    private var lostBatches: [BatchNumber: [Int]] = [:]
    private var lastBatch: BatchNumber = 0
    private var awayUntil = ManualClock.Instant(offset: .zero)

    private var freeConnections: Int
    private var connectionWaiters: [CheckedContinuation<Void, Never>] = []

    init(
        clock: ManualClock, seed: UInt64, faults: Faults, poison: [Int: Poison], connections: Int, attemptsMax: Int,
        batchSizeMax: Int, submitterCount: Int
    ) {
        self.clock = clock
        self.faults = faults
        self.poison = poison
        self.attemptsMax = attemptsMax
        self.batchSizeMax = batchSizeMax
        self.submitterCount = submitterCount
        freeConnections = connections
        generator = SeededGenerator(seed: seed)
    }

    /// A new process knows nothing of what the old one was in the middle of.
    func forgetProcess() {
        lostBatches = [:]
        failuresAlone = [:]
        if !accountsInWork.isEmpty { violations.append("a write was abandoned") }
    }

    var total: Int { balances.values.reduce(0, +) }

    // MARK: SettlementWallet

    func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn
    ) async throws(WalletError) -> [Outcome] {
        check(batch, resolving: lostBatch)
        guard await turn.untilPredecessor(.written) else { throw .outOfTurn }
        await lease()
        defer { giveConnectionBack() }
        let number = try await reach(batch, lost: lostBatch)
        if chance(faults.passing) { throw fail(batch, .stubborn) }
        turn.reach(.written)
        guard await turn.untilPredecessor(.committed) else { throw .outOfTurn }
        let accounts = enter(batch)
        defer { accountsInWork.subtract(accounts) }
        if faults.unanswered > 0 { await Task.yield() }
        if let culprit = batch.first(where: { poison[$0.number] != nil }) {
            settled(lostBatch)
            throw fail(batch, poison[culprit.number]!)
        }
        if chance(faults.unanswered) {
            settled(lostBatch)
            lostBatches[number] = batch.map(\.number)
            if Bool.random(using: &generator) { _ = batch.map { apply($0) } }
            throw .findOut(number, DatabaseFault(message: "connection lost"))
        }
        settled(lostBatch)
        let outcomes = batch.map { apply($0) }
        turn.reach(.committed)
        return outcomes
    }

    func park(
        _ item: SettlementItem, because rejection: Rejection, after tries: [FailedAttempt]
    ) async throws(WalletError) -> Outcome {
        let accounts = enter([item])
        defer { accountsInWork.subtract(accounts) }
        await lease()
        defer { giveConnectionBack() }

        // What an item failed before it was given back, since the batch before its own failed, is forgotten.
        if rejection.failureClass == .retriesExhausted,
            tries.count != attemptsMax || failuresAlone[item.number, default: 0] < tries.count
        {
            violations.append(
                "\(item.number) parked after \(failuresAlone[item.number] ?? 0) of \(tries.count) attempts")
        }
        let number = try await reach([item], lost: nil)
        if chance(faults.passing) { throw .retry(DatabaseFault(sqlState: "40001", message: "serialization failure")) }
        let isLost = chance(faults.unanswered)
        var outcome = Outcome.duplicate
        if !isLost || Bool.random(using: &generator), ends[item.number] == nil {
            noteOrder(item)
            ends[item.number] = .parked(rejection.failureClass)
            outcome = .rejected(rejection)
        }
        if isLost { throw .findOut(number, DatabaseFault(message: "connection lost")) }
        return outcome
    }

    func untilAvailable() async throws(CancellationError) {
        while clock.now < awayUntil {
            do { try await clock.sleep(until: awayUntil) } catch { throw CancellationError() }
        }
    }

    // MARK: The network and the database

    private func reach(_ batch: [SettlementItem], lost: BatchNumber?) async throws(WalletError) -> BatchNumber {
        try? await clock.sleep(until: clock.now.advanced(by: .milliseconds(Int.random(in: 1...20, using: &generator))))
        if chance(faults.overtaken) { throw .overtaken }
        if chance(faults.outage) {
            awayUntil = clock.now.advanced(by: .milliseconds(Int.random(in: 1...3000, using: &generator)))
        }
        if clock.now < awayUntil { throw .unavailable(DatabaseFault(message: "connection refused")) }
        lastBatch += 1
        return lastBatch
    }

    private func fail(_ batch: [SettlementItem], _ poison: Poison) -> WalletError {
        if batch.count == 1, poison != .data { failuresAlone[batch[0].number, default: 0] += 1 }
        return switch poison {
        case .data: .reject(DatabaseFault(sqlState: "22003", message: "out of range"))
        case .odd: .reject(DatabaseFault(sqlState: "55000", message: "not so"))
        case .stubborn: .retry(DatabaseFault(sqlState: "40P01", message: "deadlock detected"))
        }
    }

    private func apply(_ item: SettlementItem) -> Outcome {
        let number = item.number
        guard ends[number] == nil else { return .duplicate }
        noteOrder(item)
        switch item.subject {
        case .trade(let trade):
            guard balances[trade.buyer, default: 0] > 0 else {
                ends[number] = .rejected
                return .rejected(Rejection(.insufficientFunds, "no money"))
            }
            balances[trade.buyer, default: 0] -= 1
            balances[trade.seller, default: 0] += 1
        case .operation(let operation):
            balances[operation.account, default: 0] += 1
            balances[Identifier("world")!, default: 0] -= 1
        case .refused(let message):
            ends[number] = .rejected
            return .rejected(message.rejection)
        }
        ends[number] = .settled
        return .settled
    }

    // MARK: What the pool has promised

    private func check(_ batch: [SettlementItem], resolving lostBatch: BatchNumber?) {
        let numbers = batch.map(\.number)
        if batch.isEmpty || batch.count > batchSizeMax { violations.append("a batch of \(batch.count)") }
        if let lostBatch {
            if lostBatches[lostBatch] != numbers { violations.append("batch \(lostBatch) resolved with \(numbers)") }
        } else if let open = lostBatches.first(where: { !Set($0.value).isDisjoint(with: numbers) }) {
            violations.append("\(numbers) settled while batch \(open.key) is unresolved")
        }
    }

    private func settled(_ lostBatch: BatchNumber?) {
        if let lostBatch { lostBatches[lostBatch] = nil }
    }

    private func enter(_ batch: [SettlementItem]) -> Set<Identifier> {
        let accounts = Set(batch.flatMap { [$0.accounts.first, $0.accounts.second].compactMap(\.self) })
        if !accounts.isDisjoint(with: accountsInWork) { violations.append("two lanes have \(accounts)") }
        accountsInWork.formUnion(accounts)
        return accounts
    }

    /// Items of one submitter are numbered in the order in which it submits them.
    private func noteOrder(_ item: SettlementItem) {
        let submitter = item.number % submitterCount
        for account in [item.accounts.first, item.accounts.second].compactMap(\.self) {
            let last = lastOfAccount[account]?[submitter] ?? -1
            if last >= item.number { violations.append("\(account): \(item.number) after \(last)") }
            lastOfAccount[account, default: [:]][submitter] = item.number
        }
    }

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    private func lease() async {
        if freeConnections > 0 {
            freeConnections -= 1
        } else {
            await withCheckedContinuation { connectionWaiters.append($0) }
        }
    }

    private func giveConnectionBack() {
        if connectionWaiters.isEmpty {
            freeConnections += 1
        } else {
            connectionWaiters.removeFirst().resume()
        }
    }
}
