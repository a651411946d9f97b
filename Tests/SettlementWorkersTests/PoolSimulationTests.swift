import Foundation
import ServiceKit
import Testing
import TradeModel
import WalletClient

@testable import SettlementWorkers

#if TSAN
    private let seedsPerRound: UInt64 = 5
#else
    private let seedsPerRound: UInt64 = 150
#endif

/// The whole pool, its actor and its workers, on one thread, in an order and with faults that follow from a seed.
@Suite struct PoolSimulationTests {
    @Test(arguments: 0..<UInt64(20))
    func `whatever fails, each trade ends once, in its account's order, and the pool comes to its end`(round: UInt64) {
        for seed in round * seedsPerRound..<(round + 1) * seedsPerRound {
            let problems = Simulation(seed: seed).run()
            guard problems.isEmpty else {
                Issue.record("seed \(seed): \(problems.prefix(5))")
                return
            }
        }
    }

    @Test func `the same seed gives the same run`() {
        let first = Simulation(seed: 42)
        let second = Simulation(seed: 42)
        #expect(first.run() == second.run())
        #expect(first.stepCount == second.stepCount)
        #expect(first.completed == second.completed)
    }
}

/// What the tasks of a simulation tell the driver.
private final class Board: @unchecked Sendable {
    private let lock = NSLock()
    private var _completions: [(number: Int, outcome: Outcome)] = []
    private var _pool: SettlementPool?
    private var _unfinished: [SettlementItem] = []
    private var _problems: [String] = []
    private var _isFinished = false

    var completions: [(number: Int, outcome: Outcome)] { lock.withLock { _completions } }
    func complete(_ completions: [Completion]) {
        lock.withLock { _completions += completions.map { ($0.item.number, $0.outcome) } }
    }

    /// What one process did not take or finish, for the next to do.
    var unfinished: [SettlementItem] { lock.withLock { _unfinished } }
    func leave(_ items: some Sequence<SettlementItem>) { lock.withLock { _unfinished += items } }
    func clearUnfinished() { lock.withLock { _unfinished = [] } }

    var problems: [String] { lock.withLock { _problems } }
    func report(_ problem: String) { lock.withLock { _problems.append(problem) } }

    var isFinished: Bool { lock.withLock { _isFinished } }
    func finish() { lock.withLock { _isFinished = true } }
}

private final class Simulation {
    private enum Ending: CaseIterable { case drain, deadline, cancelledRun, cancelledDrain }

    private static let stepsMax = 400_000

    private let executor: SeededExecutor
    private let clock = ManualClock()
    private let board = Board()
    private let wallet: SimulatedWallet
    private let limits: Limits
    private let seed: UInt64
    private let chunks: [[[SettlementItem]]]
    private let ending: Ending
    private let stepsUntilEnding: Int
    private let cancelsSubmitters: Bool
    private(set) var stepCount = 0

    var completed: [Int] { board.completions.map(\.number) }

    init(seed: UInt64) {
        self.seed = seed
        executor = SeededExecutor(seed: seed ^ 0xe8ec)
        var generator = SeededGenerator(seed: seed)
        func some(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

        var limits = Limits()
        limits.queueCapacity = some(1...12)
        limits.workerCount = some(1...4)
        limits.batchSizeMax = some(1...8)
        limits.retryAttemptsMax = some(1...4)
        self.limits = limits

        let submitterCount = some(1...3)
        let customers = [2, 3, 10, 40][some(0...3)]
        let isHot = some(0...2) == 0
        var poison: [Int: SimulatedWallet.Poison] = [:]
        let poisonPercent = some(0...2) == 0 ? some(1...15) : 0
        chunks = (0..<submitterCount).map { submitter in
            var chunks: [[SettlementItem]] = []
            for index in 0..<some(1...25) {
                let number = index * submitterCount + submitter
                if some(0...99) < poisonPercent { poison[number] = [.data, .stubborn, .odd][some(0...2)] }
                let customer = isHot && some(0...9) < 8 ? 0 : some(0...customers - 1)
                let item =
                    switch some(0...9) {
                    case 0: refused(number)
                    case 1...3: deposit(number, customer)
                    default: trade(number, customer, some(0...customers - 1))
                    }
                if chunks.isEmpty || some(0...2) == 0 { chunks.append([]) }
                chunks[chunks.count - 1].append(item)
            }
            return chunks
        }
        let calm = some(0...3) == 0
        wallet = SimulatedWallet(
            clock: clock, seed: seed ^ 0xa11e7,
            faults: calm
                ? SimulatedWallet.Faults()
                : SimulatedWallet.Faults(
                    passing: some(0...30), unanswered: some(0...25), outage: some(0...10), overtaken: some(0...5)),
            poison: poison, connections: some(1...limits.workerCount), attemptsMax: limits.retryAttemptsMax,
            batchSizeMax: limits.batchSizeMax, submitterCount: submitterCount)
        ending = Ending.allCases[some(0...3)]
        stepsUntilEnding = some(1...800)
        cancelsSubmitters = some(0...3) == 0
    }

    /// Returns what went wrong.
    func run() -> [String] {
        let numbers = Set(chunks.joined().joined().map(\.number))
        process(chunks, ending: ending, cancelsSubmitter: cancelsSubmitters)
        // Whatever the first process left, a second one settles in peace.
        let rest = board.unfinished.sorted { $0.number < $1.number }
        board.clearUnfinished()
        if board.problems.isEmpty {
            if ending == .drain, !cancelsSubmitters, !rest.isEmpty {
                board.report("a patient drain left \(rest.count)")
            }
            process([[rest]], ending: .drain, cancelsSubmitter: false)
            if !board.unfinished.isEmpty { board.report("the second process left \(board.unfinished.count)") }
        }
        drive("audit") { [wallet, board] in
            for violation in await wallet.violations { board.report(violation) }
            if await wallet.total != 0 { board.report("money appeared or vanished") }
            let ends = await wallet.ends
            if board.problems.isEmpty, Set(ends.keys) != numbers { board.report("the bank knows of \(ends.count)") }
            for (number, outcome) in board.completions where !Self.agree(outcome, ends[number]) {
                board.report("\(number) was told \(outcome), is \(ends[number] as Any)")
            }
        }
        if board.problems.isEmpty, completed.count != numbers.count || Set(completed) != numbers {
            board.report("\(completed.count) ends for \(numbers.count) trades")
        }
        return board.problems
    }

    private static func agree(_ outcome: Outcome, _ end: SimulatedWallet.End?) -> Bool {
        switch (outcome, end) {
        case (.settled, .settled), (.duplicate, .some), (.rejected, .rejected): true
        case (.rejected(let rejection), .parked(let parked)): rejection.failureClass == parked
        default: false
        }
    }

    /// A pool from its start to its end.
    private func process(_ chunks: [[[SettlementItem]]], ending: Ending, cancelsSubmitter: Bool) {
        let pool = SettlementPool(
            wallet: wallet, limits: limits, clock: clock, seed: seed, executor: executor,
            onCompletion: { [board] in board.complete($0) })
        let running = Task(executorPreference: executor) { await pool.run() }
        let submitters = chunks.map { chunks in
            Task(executorPreference: executor) { [board] in
                for (index, chunk) in chunks.enumerated() {
                    let taken = await Self.submit(chunk, to: pool)
                    guard taken < chunk.count else { continue }
                    // Who was sent away does not come back, or the order would be his own doing.
                    board.leave(chunk[taken...] + chunks[(index + 1)...].joined())
                    return
                }
            }
        }
        let prober = Task(executorPreference: executor) { [board, limits] in
            for _ in 0..<20 {
                let snapshot = await pool.snapshot()
                let givenBackMax = limits.workerCount * limits.batchSizeMax
                if snapshot.queueDepth > snapshot.queueCapacity + givenBackMax { board.report("queue too long") }
                if snapshot.inFlight > givenBackMax { board.report("too much in flight") }
                await Task.yield()
            }
        }
        let isPatient = ending == .drain
        drive("process") { [self] in
            if !isPatient || cancelsSubmitter {
                for _ in 0..<stepsUntilEnding { await Task.yield() }
            }
            if cancelsSubmitter, let victim = submitters.first { victim.cancel() }
            if isPatient {
                for submitter in submitters { await submitter.value }
                await pool.untilIdle()
            }
            if ending == .cancelledRun { running.cancel() }
            let draining = Task(executorPreference: executor) {
                await pool.drain(timeout: isPatient ? .seconds(1_000_000) : .milliseconds(30))
            }
            if ending == .cancelledDrain { draining.cancel() }
            board.leave(await draining.value)
            await running.value
            for submitter in submitters { await submitter.value }
            await prober.value
            let snapshot = await pool.snapshot()
            if snapshot.inFlight != 0 || snapshot.queueDepth != 0 || snapshot.workers.contains(where: { $0 != .idle }) {
                board.report("the pool did not come to rest: \(snapshot)")
            }
            await wallet.forgetProcess()
        }
    }

    private static func submit(_ chunk: [SettlementItem], to pool: SettlementPool) async -> Int {
        do throws(PoolError) {
            try await pool.submit(chunk)
            return chunk.count
        } catch {
            return switch error {
            case .closed(let taken), .cancelled(let taken): taken
            case .full: 0
            }
        }
    }

    /// Runs everything until the scenario is over. When nothing can run, time goes on; when nobody sleeps either,
    /// a wake-up was lost.
    private func drive(_ name: String, _ scenario: @escaping @Sendable () async -> Void) {
        let finished = Board()
        Task(executorPreference: executor) {
            await scenario()
            finished.finish()
        }
        while !finished.isFinished {
            stepCount += 1
            guard stepCount < Self.stepsMax else { return board.report("\(name): no end after \(stepCount) steps") }
            if stepCount % 37 == 0, clock.advanceToNextSleeper() { continue }
            guard executor.runNext() || clock.advanceToNextSleeper() else {
                return board.report("\(name): everybody waits for somebody")
            }
        }
    }
}

extension Simulation: @unchecked Sendable {}
