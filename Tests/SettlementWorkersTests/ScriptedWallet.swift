import TradeModel
import WalletClient

@testable import SettlementWorkers

/// A wallet that does what a test tells it: settles, fails by the script, or keeps callers waiting.
actor ScriptedWallet: SettlementWallet {
    struct Parked: Equatable {
        var number: Int
        var rejection: Rejection
        var attempts: Int
    }

    private(set) var calls: [[Int]] = []
    private(set) var resolved: [BatchNumber?] = []
    private(set) var settled: [Int] = []
    private(set) var parked: [Parked] = []
    private(set) var sawCancellation = false
    private var script: [WalletError?]
    private let culprits: [Int: WalletError]
    private let outcomes: [Int: Outcome]
    private var isHolding: Bool
    private var held: [CheckedContinuation<Void, Never>] = []
    private var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    private var isAway = false
    private var absentees: [CheckedContinuation<Void, Never>] = []
    private var outageWatchers: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - script: what the first calls fail with, nil for success.
    ///   - culprits: what every batch fails with that has one of these.
    ///   - outcomes: of trades that are committed without being settled.
    init(
        script: [WalletError?] = [], culprits: [Int: WalletError] = [:], outcomes: [Int: Outcome] = [:],
        isHolding: Bool = false
    ) {
        self.script = script
        self.outcomes = outcomes
        self.culprits = culprits
        self.isHolding = isHolding
    }

    func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn
    ) async throws(WalletError) -> [Outcome] {
        guard await turn.untilPredecessor(.committed) else { throw .outOfTurn }
        calls.append(batch.map(\.number))
        resolved.append(lostBatch)
        for watcher in watchers where watcher.count <= calls.count { watcher.continuation.resume() }
        watchers.removeAll { $0.count <= calls.count }
        if isHolding { await withCheckedContinuation { held.append($0) } }
        if Task.isCancelled { sawCancellation = true }
        if isAway { throw .unavailable(DatabaseFault(message: "connection refused")) }
        if !script.isEmpty, let error = script.removeFirst() { throw error }
        if let error = batch.lazy.compactMap({ self.culprits[$0.number] }).first { throw error }
        settled += batch.map(\.number)
        turn.reach(.committed)
        return batch.map { outcomes[$0.number] ?? .settled }
    }

    func park(
        _ item: SettlementItem, because rejection: Rejection, after tries: [FailedAttempt]
    ) async throws(WalletError) -> Outcome {
        parked.append(Parked(number: item.number, rejection: rejection, attempts: tries.count))
        return .rejected(rejection)
    }

    func untilAvailable() async throws(CancellationError) {
        for watcher in outageWatchers { watcher.resume() }
        outageWatchers = []
        if isAway { await withCheckedContinuation { absentees.append($0) } }
    }

    /// Returns when so many calls of `settle` have begun.
    func untilCalled(_ count: Int) async {
        if calls.count < count { await withCheckedContinuation { watchers.append((count, $0)) } }
    }

    func letGo() {
        isHolding = false
        for continuation in held { continuation.resume() }
        held = []
    }

    func goAway() { isAway = true }

    func untilMissed() async {
        if absentees.isEmpty { await withCheckedContinuation { outageWatchers.append($0) } }
    }

    func comeBack() {
        isAway = false
        seemToComeBack()
    }

    /// Those who wait try again, in vain if it is still away.
    func seemToComeBack() {
        for continuation in absentees { continuation.resume() }
        absentees = []
    }
}
