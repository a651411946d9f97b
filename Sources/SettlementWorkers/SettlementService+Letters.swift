import Repository
import ServiceKit
import TradeModel

extension SettlementService {
    /// Retries dead letters that may have healed, where that is configured. Of all workers one does, as long as it
    /// lives.
    nonisolated func retryLetters() async {
        var lastRound: ContinuousClock.Instant?
        while !stopSignal.hasFired, !Task.isCancelled {
            let limits = configuration.limits.current
            let isDue =
                lastRound.map { ContinuousClock.now - $0 >= .seconds(limits.letterRetryIntervalSeconds) } ?? true
            if isDue, !limits.letterRetryClasses.isEmpty {
                lastRound = .now
                await retryDueLetters(limits)
            }
            // The interval and the classes may change meanwhile.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private nonisolated func retryDueLetters(_ limits: Limits) async {
        do {
            let letters = try await control.retryDueLetters(limits)
            if !letters.isEmpty { configuration.log.info("dead letters retried", ["count": "\(letters.count)"]) }
        } catch {
            configuration.log.warning("dead letters not retried", ["reason": "\(error)"])
        }
    }
}

extension ControlConnection {
    /// Retries the letters whose time has come, if this worker is the one that does; returns their numbers.
    func retryDueLetters(_ limits: Limits) throws(DatabaseError) -> [Int64] {
        try connected { connection throws(DatabaseError) in
            guard try connection.query(DeadLetterStore.lead).bool(0, 0) else { return [] }
            let rows = try connection.query(
                DeadLetterStore.retryDue(
                    limits.letterRetryClasses, attemptsMax: limits.letterRetryAttemptsMax,
                    countMax: limits.letterRetryBatchMax, backoffSeconds: limits.letterRetryBackoffSeconds,
                    backoffSecondsMax: limits.letterRetryBackoffSecondsMax))
            return rows.indices.map { rows.int64($0, 0) }
        }
    }
}
