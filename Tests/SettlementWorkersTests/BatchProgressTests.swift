import ServiceKit
import Testing
import TradeModel
import WalletClient

@testable import SettlementWorkers

@Suite struct BatchProgressTests {
    private var generator = SeededGenerator(seed: 1)
    private let policy = RetryPolicy(Limits())
    private let now = Timestamp("2026-01-02T03:04:05Z")!

    private let deadlock = WalletError.retry(DatabaseFault(sqlState: "40P01", message: "deadlock detected"))
    private let badData = WalletError.reject(DatabaseFault(sqlState: "22003", message: "out of range"))
    private let odd = WalletError.reject(DatabaseFault(sqlState: "55000", message: "not so"))
    private let away = WalletError.unavailable(DatabaseFault(message: "connection refused"))
    private func lost(_ number: BatchNumber) -> WalletError { .findOut(number, DatabaseFault(message: "closed")) }

    private func isBackOff(_ pause: BatchProgress.Pause) -> Bool {
        if case .backOff = pause { true } else { false }
    }

    @Test mutating func `a batch that keeps failing is tried whole twice, then in halves`() {
        var progress = BatchProgress(count: 8, policy: policy)
        #expect(progress.next == .settle(0..<8, resolving: nil))
        #expect(isBackOff(progress.failed(deadlock, at: now, using: &generator)))
        #expect(progress.next == .settle(0..<8, resolving: nil))
        #expect(isBackOff(progress.failed(deadlock, at: now, using: &generator)))
        #expect(progress.next == .settle(0..<4, resolving: nil))
        #expect(isBackOff(progress.failed(deadlock, at: now, using: &generator)))
        #expect(progress.next == .settle(0..<2, resolving: nil))
        progress.succeeded()
        #expect(progress.next == .settle(2..<4, resolving: nil))
        progress.succeeded()
        #expect(progress.next == .settle(4..<8, resolving: nil))
        progress.succeeded()
        #expect(progress.next == .finished)
        #expect(progress.remaining.isEmpty)
    }

    @Test mutating func `trap 25: an item alone is tried three times and no more, then parked with the last words`() {
        var progress = BatchProgress(count: 1, policy: policy)
        let times = (1...3).map { Timestamp(microseconds: now.microseconds + $0) }
        #expect(isBackOff(progress.failed(deadlock, at: times[0], using: &generator)))
        #expect(isBackOff(progress.failed(deadlock, at: times[1], using: &generator)))
        #expect(progress.failed(deadlock, at: times[2], using: &generator) == .none)
        let words = "deadlock detected (SQLSTATE 40P01)"
        let tries = times.map { FailedAttempt(at: $0, sqlState: "40P01", message: "deadlock detected") }
        #expect(progress.next == .park(0, because: Rejection(.retriesExhausted, words), after: tries))
    }

    @Test mutating func `bad data is parked at once, anything else that is rejected has its tries`() {
        var progress = BatchProgress(count: 1, policy: policy)
        #expect(progress.failed(badData, at: now, using: &generator) == .none)
        let words = "out of range (SQLSTATE 22003)"
        let bad = FailedAttempt(at: now, sqlState: "22003", message: "out of range")
        #expect(progress.next == .park(0, because: Rejection(.invalid, words), after: [bad]))

        progress = BatchProgress(count: 1, policy: policy)
        #expect(isBackOff(progress.failed(odd, at: now, using: &generator)))
        #expect(isBackOff(progress.failed(odd, at: now, using: &generator)))
        #expect(progress.failed(odd, at: now, using: &generator) == .none)
        let oddities = Array(repeating: FailedAttempt(at: now, sqlState: "55000", message: "not so"), count: 3)
        #expect(
            progress.next
                == .park(0, because: Rejection(.retriesExhausted, "not so (SQLSTATE 55000)"), after: oddities))
    }

    @Test mutating func `a rejected batch is split at once, and its halves keep their order`() {
        var progress = BatchProgress(count: 3, policy: policy)
        #expect(progress.failed(badData, at: now, using: &generator) == .none)
        #expect(progress.next == .settle(0..<1, resolving: nil))
        progress.succeeded()
        #expect(progress.next == .settle(1..<3, resolving: nil))
        #expect(progress.failed(badData, at: now, using: &generator) == .none)
        #expect(progress.next == .settle(1..<2, resolving: nil))
    }

    @Test mutating func `a lost commit is resolved with the same batch, however often it takes, and counts nothing`() {
        var progress = BatchProgress(count: 4, policy: policy)
        #expect(progress.failed(lost(7), at: now, using: &generator) == .none)
        for _ in 0..<10 {
            _ = progress.failed(deadlock, at: now, using: &generator)
            #expect(progress.next == .settle(0..<4, resolving: 7))
        }
        #expect(progress.failed(away, at: now, using: &generator) == .untilAvailable)
        #expect(progress.next == .settle(0..<4, resolving: 7))
        _ = progress.failed(lost(8), at: now, using: &generator)
        #expect(progress.next == .settle(0..<4, resolving: 8))
        // Rolled back for its data: then it was not committed under any number.
        _ = progress.failed(badData, at: now, using: &generator)
        #expect(progress.next == .settle(0..<2, resolving: nil))
        #expect(progress.attempts == 1)
    }

    @Test mutating func `an absent database and a lost guard count against nobody`() {
        var progress = BatchProgress(count: 1, policy: policy)
        for _ in 0..<10 {
            #expect(progress.failed(away, at: now, using: &generator) == .untilAvailable)
            #expect(isBackOff(progress.failed(.overtaken, at: now, using: &generator)))
        }
        #expect(progress.next == .settle(0..<1, resolving: nil))
        #expect(progress.attempts == 1)
    }

    @Test mutating func `parking that fails is repeated with the same verdict`() {
        var progress = BatchProgress(count: 1, policy: policy)
        _ = progress.failed(badData, at: now, using: &generator)
        let verdict = progress.next
        for error in [deadlock, odd, badData, lost(3), away, .overtaken] {
            #expect(progress.failed(error, at: now, using: &generator) != .none || error == lost(3))
            #expect(progress.next == verdict)
        }
        progress.succeeded()
        #expect(progress.next == .finished)
    }

    @Test mutating func `what comes after the current part can be given back`() {
        var progress = BatchProgress(count: 8, policy: policy)
        _ = progress.failed(badData, at: now, using: &generator)
        #expect(progress.giveBack() == 4..<8)
        #expect(progress.remaining == 0..<4)
        progress.succeeded()
        #expect(progress.next == .finished)
        #expect(progress.remaining.isEmpty)
    }

    @Test mutating func `pauses double from 100 ms to 5 s, and chance shortens them by half at most`() {
        let expected = [100, 200, 400, 800, 1600, 3200, 5000, 5000]
        for (index, milliseconds) in expected.enumerated() {
            for _ in 0..<100 {
                let pause = policy.pause(afterFailures: index + 1, using: &generator)
                #expect(pause <= .milliseconds(milliseconds))
                #expect(pause >= .milliseconds(milliseconds) / 2)
            }
        }
    }
}
