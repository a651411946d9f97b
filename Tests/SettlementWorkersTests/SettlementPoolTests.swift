import Foundation
import ServiceKit
import Testing
import TradeModel
import WalletClient

@testable import SettlementWorkers

/// A pool that runs for the length of a test.
private struct Running {
    let pool: SettlementPool
    let clock = ManualClock()
    let completions = Collector()
    let run: Task<Void, Never>

    init(_ wallet: any SettlementWallet, capacity: Int = 1000, workers: Int = 10, batch: Int = 500) {
        var limits = Limits()
        limits.queueCapacity = capacity
        limits.workerCount = workers
        limits.batchSizeMax = batch
        let pool = SettlementPool(
            wallet: wallet, limits: limits, clock: clock, seed: 1,
            onCompletion: { [completions] in completions.append($0) })
        self.pool = pool
        run = Task { await pool.run() }
    }

    /// Closes the pool with all the time in the world, and waits for its workers to be gone.
    func end() async {
        let leftovers = await pool.drain(timeout: .seconds(1_000_000))
        #expect(leftovers.isEmpty)
        await run.value
    }
}

private final class Collector: @unchecked Sendable {
    private let lock = NSLock()
    private var completions: [Completion] = []

    var all: [Completion] { lock.withLock { completions } }
    func append(_ more: [Completion]) { lock.withLock { completions += more } }
}

private let timeout = WalletError.retry(DatabaseFault(sqlState: "57014", message: "canceling statement due to timeout"))

/// What the predecessor's worker pool was tested for, and its scenarios for QA.
@Suite(.timeLimit(.minutes(5))) struct SettlementPoolTests {
    @Test func `a pool starts, and stops when it is closed`() async {
        let running = Running(ScriptedWallet())
        await running.end()
        let snapshot = await running.pool.snapshot()
        #expect(!snapshot.isOpen)
        #expect(snapshot.workers == Array(repeating: .idle, count: 10))
    }

    @Test func `a single trade is settled`() async throws {
        let wallet = ScriptedWallet()
        let running = Running(wallet)
        try await running.pool.submit([trade(1, 1, 2)])
        await running.pool.untilIdle()
        #expect(await wallet.settled == [1])
        #expect(running.completions.all.map(\.outcome) == [.settled])
        #expect(running.completions.all.map(\.attempts) == [1])
        let records = await running.pool.snapshot().records
        #expect(records.map(\.settled).sorted() == Array(repeating: 0, count: records.count - 1) + [1])
        #expect(records.map(\.lastBatchSize).max() == 1)
        await running.end()
    }

    @Test(arguments: [20, 100])
    func `trades submitted at the same time are all settled, each once`(count: Int) async {
        let wallet = ScriptedWallet()
        let running = Running(wallet)
        await withTaskGroup { group in
            for number in 0..<count {
                group.addTask { try? await running.pool.submit([trade(number, number % 7, number % 5)]) }
            }
        }
        await running.pool.untilIdle()
        #expect(await wallet.settled.sorted() == Array(0..<count))
        #expect(await running.pool.snapshot().counters.settled == count)
        await running.end()
    }

    @Test func `a trade that keeps failing is tried three times, then parked with the last words`() async throws {
        let wallet = ScriptedWallet(culprits: [1: timeout])
        let running = Running(wallet)
        try await running.pool.submit([trade(1, 1, 2)])
        for pause in [100, 200] {
            await running.clock.untilSomeoneSleeps()
            let pending = try #require(running.clock.pending.first)
            #expect(pending >= .milliseconds(pause / 2) && pending <= .milliseconds(pause))
            running.clock.advanceToNextSleeper()
        }
        await running.pool.untilIdle()
        let words = "canceling statement due to timeout (SQLSTATE 57014)"
        let rejection = Rejection(.retriesExhausted, words)
        #expect(await wallet.calls.count == 3)
        #expect(await wallet.parked == [.init(number: 1, rejection: rejection, attempts: 3)])
        #expect(running.completions.all.map(\.outcome) == [.rejected(rejection)])
        let counters = await running.pool.snapshot().counters
        #expect(counters.rejected == [.retriesExhausted: 1])
        #expect(counters.parked == 1)
        #expect(counters.retries == 3)
        await running.end()
    }

    @Test func `a timeout is tried again and succeeds`() async throws {
        let wallet = ScriptedWallet(script: [timeout])
        let running = Running(wallet)
        try await running.pool.submit([trade(1, 1, 2)])
        await running.clock.untilSomeoneSleeps()
        running.clock.advanceToNextSleeper()
        await running.pool.untilIdle()
        #expect(await wallet.settled == [1])
        #expect(await wallet.parked.isEmpty)
        #expect(running.completions.all.map(\.attempts) == [2])
        #expect(running.completions.all[0].elapsed >= .milliseconds(50))
        await running.end()
    }

    @Test func `a full queue refuses at once, or makes wait`() async throws {
        let wallet = ScriptedWallet(isHolding: true)
        let running = Running(wallet, capacity: 2, workers: 1, batch: 1)
        try await running.pool.submit([trade(1, 1, 2)])
        await wallet.untilCalled(1)
        try await running.pool.trySubmit(trade(2, 3, 4))
        try await running.pool.trySubmit(trade(3, 5, 6))
        await #expect(throws: PoolError.full) { try await running.pool.trySubmit(trade(4, 7, 8)) }
        let patient = Task { try await running.pool.submit([trade(5, 9, 10)]) }
        await wallet.letGo()
        try await patient.value
        await running.pool.untilIdle()
        #expect(await wallet.settled == [1, 2, 3, 5])
        await running.end()
    }

    @Test func `of 1001 trades 1000 are queued, and the one without room is parked by its caller`() async throws {
        let wallet = ScriptedWallet()
        var limits = Limits()
        limits.queueCapacity = 1000
        let pool = SettlementPool(wallet: wallet, limits: limits, clock: ManualClock(), seed: 1)
        for item in strangers(0..<1001) {
            do throws(PoolError) {
                try await pool.trySubmit(item)
            } catch .full {
                _ = try await wallet.park(item, because: Rejection(.queueFull, "the queue is full"), after: [])
            }
        }
        #expect(await pool.snapshot().queueDepth == 1000)
        #expect(await wallet.parked.map(\.number) == [1000])
        async let run: Void = pool.run()
        await pool.untilIdle()
        #expect(await wallet.settled.count == 1000)
        #expect(await pool.drain(timeout: .zero).isEmpty)
        await run
    }

    @Test func `pending trades are all settled before the pool stops`() async throws {
        let wallet = ScriptedWallet(isHolding: true)
        let running = Running(wallet, workers: 2, batch: 10)
        try await running.pool.submit(strangers(0..<300))
        let drain = Task { await running.pool.drain(timeout: .seconds(30)) }
        await running.clock.untilSomeoneSleeps()
        await wallet.letGo()
        #expect(await drain.value.isEmpty)
        await running.run.value
        #expect(await wallet.settled.sorted() == Array(0..<300))
    }

    @Test func `after the stop every way in is closed`() async {
        let running = Running(ScriptedWallet())
        await running.end()
        await #expect(throws: PoolError.closed(taken: 0)) { try await running.pool.submit([trade(1, 1, 2)]) }
        await #expect(throws: PoolError.closed(taken: 0)) { try await running.pool.trySubmit(trade(1, 1, 2)) }
    }

    // MARK: Stopping early

    @Test func `trap 31: at the deadline what is being written ends, and the rest is named`() async throws {
        let wallet = ScriptedWallet(isHolding: true)
        let running = Running(wallet, workers: 1, batch: 2)
        try await running.pool.submit(strangers(0..<5))
        await wallet.untilCalled(1)
        let drain = Task { await running.pool.drain(timeout: .seconds(30)) }
        await running.clock.untilSomeoneSleeps()
        running.clock.advanceToNextSleeper()
        await Self.untilQueueIsEmpty(running.pool)
        await wallet.letGo()
        #expect(await drain.value.map(\.name) == ["BTC/USDT:2", "BTC/USDT:3", "BTC/USDT:4"])
        await running.run.value
        #expect(await wallet.settled == [0, 1])
        #expect(running.completions.all.map(\.item.number) == [0, 1])
    }

    @Test func `cancelling the run lets a write end without knowing of it, and keeps the rest for drain`() async throws
    {
        let wallet = ScriptedWallet(isHolding: true)
        let running = Running(wallet, workers: 1, batch: 2)
        try await running.pool.submit(strangers(0..<5))
        await wallet.untilCalled(1)
        running.run.cancel()
        await Self.untilQueueIsEmpty(running.pool)
        await wallet.letGo()
        await running.run.value
        #expect(await wallet.settled == [0, 1])
        #expect(await !wallet.sawCancellation)
        #expect(await running.pool.drain(timeout: .seconds(30)).map(\.number) == [2, 3, 4])
        await #expect(throws: PoolError.closed(taken: 0)) { try await running.pool.trySubmit(trade(9, 1, 2)) }
    }

    @Test func `a pool that never ran returns everything at the deadline`() async throws {
        let clock = ManualClock()
        let pool = SettlementPool(wallet: ScriptedWallet(), limits: Limits(), clock: clock, seed: 1)
        try await pool.submit(strangers(0..<3))
        let drain = Task { await pool.drain(timeout: .seconds(1)) }
        await clock.untilSomeoneSleeps()
        clock.advanceToNextSleeper()
        #expect(await drain.value.map(\.number) == [0, 1, 2])
    }

    @Test func `a cancelled submitter leaves with what was not taken, and the next in line comes in`() async throws {
        let wallet = ScriptedWallet(isHolding: true)
        let running = Running(wallet, capacity: 2, workers: 1, batch: 2)
        try await running.pool.submit(strangers(0..<2))
        await wallet.untilCalled(1)
        let impatient = Task { try await running.pool.submit(strangers(2..<9)) }
        await Self.untilDepth(2, of: running.pool)
        let next = Task { try await running.pool.submit(strangers(20..<22)) }
        impatient.cancel()
        await #expect(throws: PoolError.cancelled(taken: 2)) { try await impatient.value }
        await wallet.letGo()
        try await next.value
        await running.pool.untilIdle()
        #expect(await wallet.settled == [0, 1, 2, 3, 20, 21])
        await running.end()
    }

    @Test func `waiting for quiet ends when the one who waits is cancelled`() async throws {
        let pool = SettlementPool(wallet: ScriptedWallet(), limits: Limits(), clock: ManualClock(), seed: 1)
        try await pool.submit([trade(1, 1, 2)])
        let waiting = Task { await pool.untilIdle() }
        waiting.cancel()
        await waiting.value
        #expect(await pool.snapshot().queueDepth == 1)
    }

    // MARK: Failures

    @Test func `one bad trade is found among its neighbours, who are settled once`() async throws {
        let bad = WalletError.reject(DatabaseFault(sqlState: "22003", message: "numeric field overflow"))
        let wallet = ScriptedWallet(culprits: [5: bad], isHolding: true)
        let running = Running(wallet, workers: 1, batch: 8)
        try await running.pool.submit((0..<8).map { trade($0, 1, 2) })
        await wallet.letGo()
        await running.pool.untilIdle()
        let rejection = Rejection(.invalid, "numeric field overflow (SQLSTATE 22003)")
        #expect(await wallet.settled == [0, 1, 2, 3, 4, 6, 7])
        #expect(await wallet.parked == [.init(number: 5, rejection: rejection, attempts: 1)])
        #expect(running.completions.all.map(\.item.number) == Array(0..<8))
        await running.end()
    }

    @Test func `neighbours do not wait through the backoff of one that fails`() async throws {
        let wallet = ScriptedWallet(culprits: [0: timeout], isHolding: true)
        let running = Running(wallet, workers: 2, batch: 8)
        try await running.pool.submit([trade(0, 1, 2)])
        await wallet.untilCalled(1)
        // The first shares an account with the failing trade, the others share none.
        try await running.pool.submit([trade(1, 1, 3)] + strangers(10..<13))
        await wallet.letGo()
        await running.clock.untilSomeoneSleeps()
        await wallet.untilCalled(2)
        await Self.untilDepth(1, of: running.pool)
        while running.completions.all.count < 3 { await Task.yield() }
        #expect(await wallet.settled.sorted() == [10, 11, 12])
        for _ in 1...2 {
            await running.clock.untilSomeoneSleeps()
            running.clock.advanceToNextSleeper()
        }
        await running.pool.untilIdle()
        #expect(running.completions.all.map(\.item.number).suffix(2) == [0, 1])
        await running.end()
    }

    @Test func `a commit whose answer was lost is settled again under its number`() async throws {
        let wallet = ScriptedWallet(script: [.findOut(77, DatabaseFault(message: "connection lost")), nil])
        let running = Running(wallet)
        try await running.pool.submit([trade(1, 1, 2)])
        await running.pool.untilIdle()
        #expect(await wallet.resolved == [nil, 77])
        #expect(running.completions.all.map(\.attempts) == [1])
        await running.end()
    }

    @Test func `while the database is away nothing counts against a trade, and work goes on when it is back`()
        async throws
    {
        let wallet = ScriptedWallet()
        let running = Running(wallet, workers: 1)
        await wallet.goAway()
        try await running.pool.submit([trade(1, 1, 2)])
        for _ in 1...5 {
            await wallet.untilMissed()
            #expect(await running.pool.snapshot().workers == [.waitingForDatabase])
            await wallet.seemToComeBack()
        }
        await wallet.comeBack()
        await running.pool.untilIdle()
        #expect(await wallet.settled == [1])
        #expect(await wallet.parked.isEmpty)
        #expect(running.completions.all.map(\.attempts) == [1])
        await running.end()
    }

    @Test func `every outcome is counted under its name`() async throws {
        let wallet = ScriptedWallet(outcomes: [
            2: .duplicate, 3: .deferred, 4: .rejected(Rejection(.insufficientFunds, "no money")),
            5: .rejected(Rejection(.insufficientFunds, "no money")), 6: .rejected(Rejection(.conflict, "not the same")),
        ])
        let running = Running(wallet)
        try await running.pool.submit(strangers(0..<8))
        await running.pool.untilIdle()
        let counters = await running.pool.snapshot().counters
        #expect(counters.submitted == 8)
        #expect(counters.settled == 3)
        #expect(counters.duplicates == 1)
        #expect(counters.deferred == 1)
        #expect(counters.rejected == [.insufficientFunds: 2, .conflict: 1])
        #expect(counters.parked == 0)
        #expect(counters.retries == 0)
        #expect(await counters.batches == wallet.calls.count)
        await running.end()
    }

    @Test func `the snapshot shows what each worker does`() async throws {
        let wallet = ScriptedWallet(culprits: [1: timeout], isHolding: true)
        let running = Running(wallet, capacity: 10, workers: 2, batch: 4)
        try await running.pool.submit([trade(1, 1, 2)])
        await wallet.untilCalled(1)
        try await running.pool.submit([trade(2, 1, 3)])
        var snapshot = await running.pool.snapshot()
        #expect(snapshot.workers == [.settling(1), .idle])
        #expect(snapshot.queueDepth == 1)
        #expect(snapshot.inFlight == 1)
        #expect(snapshot.counters.submitted == 2)
        await wallet.letGo()
        await running.clock.untilSomeoneSleeps()
        snapshot = await running.pool.snapshot()
        #expect(snapshot.workers == [.backingOff(until: try #require(running.clock.pending.first)), .idle])
        running.clock.advanceToNextSleeper()
        await running.clock.untilSomeoneSleeps()
        running.clock.advanceToNextSleeper()
        await running.pool.untilIdle()
        await running.end()
    }

    /// Many threads, to give the thread sanitizer something to look at.
    @Test func `submitters, workers, observers and drain do not race`() async throws {
        let running = Running(ScriptedWallet(), capacity: 50, workers: 4, batch: 10)
        await withTaskGroup { group in
            for submitter in 0..<8 {
                group.addTask {
                    for index in 0..<50 {
                        let number = index * 8 + submitter
                        try? await running.pool.submit([trade(number, number % 13, number % 17)])
                        if index % 10 == 0 { _ = await running.pool.snapshot() }
                    }
                }
            }
        }
        await running.end()
        #expect(Set(running.completions.all.map(\.item.number)).count == 400)
        #expect(running.completions.all.count == 400)
    }

    private static func untilDepth(_ depth: Int, of pool: SettlementPool) async {
        while await pool.snapshot().queueDepth != depth { await Task.yield() }
    }

    private static func untilQueueIsEmpty(_ pool: SettlementPool) async {
        await untilDepth(0, of: pool)
    }
}
