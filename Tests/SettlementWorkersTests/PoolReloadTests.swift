import ServiceKit
import Testing
import WalletClient

@testable import SettlementWorkers

@Suite struct PoolReloadTests {
    @Test(.timeLimit(.minutes(5)))
    func `attempts and pauses that change while the pool runs count from the next batch on`() async throws {
        let timeout = WalletError.retry(
            DatabaseFault(sqlState: "57014", message: "canceling statement due to timeout"))
        let wallet = ScriptedWallet(culprits: [1: timeout, 2: timeout])
        let clock = ManualClock()
        let pool = SettlementPool(wallet: wallet, limits: Limits(), clock: clock, seed: 1)
        let run = Task { await pool.run() }
        var limits = Limits()
        limits.retryAttemptsMax = 2
        limits.retryBackoffMilliseconds = 4_000

        try await pool.submit([trade(1, 1, 2)])
        await clock.untilSomeoneSleeps()
        pool.reload(limits)
        for _ in 0..<2 {
            await clock.untilSomeoneSleeps()
            #expect(try #require(clock.pending.first) <= .milliseconds(200), "the batch in work keeps its pauses")
            clock.advanceToNextSleeper()
        }
        await pool.untilIdle()
        try await pool.submit([trade(2, 1, 2)])
        await clock.untilSomeoneSleeps()
        #expect(try #require(clock.pending.first) >= .milliseconds(2_000))
        clock.advanceToNextSleeper()
        await pool.untilIdle()

        #expect(await wallet.parked.map(\.attempts) == [3, 2])
        #expect(await pool.drain(timeout: .seconds(1_000_000)).isEmpty)
        await run.value
    }
}
