import TradeModel
import WalletClient

/// The way of one batch to its end: what to ask of the wallet next, given what it answered so far.
///
/// The only retry layer. A batch that fails is tried again whole, then in halves, until whoever is to blame stands
/// alone; only then are attempts counted, and when they are spent the item is parked.
struct BatchProgress {
    enum Step: Hashable {
        case settle(Range<Int>, resolving: BatchNumber?)
        case park(Int, because: Rejection, after: [FailedAttempt])
        case finished
    }

    enum Pause: Hashable {
        case none
        case backOff(Duration)
        case untilAvailable
    }

    /// Neighbours that are settled in one go.
    private struct Part {
        var range: Range<Int>
        /// Failures of the whole part while it has more than one item.
        var failures = 0
        /// Failures of an item that is alone.
        var tries: [FailedAttempt] = []
        /// Failures that count against nobody, but lengthen the pause.
        var hitches = 0
        var lostBatch: BatchNumber?
        var verdict: Rejection?
    }

    private static let wholeFailuresMax = 2

    private let policy: RetryPolicy
    /// What is left, the next part last.
    private var parts: [Part]
    private var end: Int

    init(count: Int, policy: RetryPolicy) {
        self.policy = policy
        parts = count > 0 ? [Part(range: 0..<count)] : []
        end = count
    }

    var next: Step {
        guard let part = parts.last else { return .finished }
        if let verdict = part.verdict {
            return .park(part.range.lowerBound, because: verdict, after: part.tries)
        }
        return .settle(part.range, resolving: part.lostBatch)
    }

    /// Everything that has not come to its end.
    var remaining: Range<Int> { (parts.last?.range.lowerBound ?? end)..<end }

    /// How often the current part was tried, this time included.
    var attempts: Int { (parts.last?.tries.count ?? 0) + 1 }

    mutating func succeeded() {
        parts.removeLast()
    }

    /// Keeps only the current part; returns what came after it, for others to settle.
    mutating func giveBack() -> Range<Int> {
        guard let part = parts.last else { return end..<end }
        let others = part.range.upperBound..<end
        parts = [part]
        end = part.range.upperBound
        return others
    }

    mutating func failed(
        _ error: WalletError, at now: Timestamp, using generator: inout some RandomNumberGenerator
    ) -> Pause {
        var part = parts.removeLast()
        defer { parts.append(part) }

        func hitch() -> Pause {
            part.hitches += 1
            return .backOff(policy.pause(afterFailures: part.hitches, using: &generator))
        }

        switch error {
        case .unavailable:
            return .untilAvailable
        case .overtaken, .outOfTurn:
            return hitch()
        case .findOut(let batch, _):
            // The newest number is enough: the attempt under it had found out about those before.
            if part.verdict == nil { part.lostBatch = batch }
            part.hitches += 1
            guard part.hitches > 1 else { return .none }
            return .backOff(policy.pause(afterFailures: part.hitches - 1, using: &generator))
        case .retry where part.verdict != nil || part.lostBatch != nil, .reject where part.verdict != nil:
            return hitch()
        case .retry(let fault):
            if part.range.count > 1 {
                part.failures += 1
                let failures = part.failures
                if failures >= Self.wholeFailuresMax { split(&part, failures: 1) }
                return .backOff(policy.pause(afterFailures: failures, using: &generator))
            }
            return count(FailedAttempt(fault, at: now), of: &part, fault, using: &generator)
        case .reject(let fault):
            // It was rolled back, so a lost commit of the same batch is lost for good.
            part.lostBatch = nil
            if part.range.count > 1 {
                split(&part, failures: part.failures)
                return .none
            }
            let attempt = FailedAttempt(fault, at: now)
            guard fault.liesInTheData else { return count(attempt, of: &part, fault, using: &generator) }
            part.tries.append(attempt)
            part.verdict = Rejection(.invalid, fault.description)
            return .none
        }
    }

    private func count(
        _ attempt: FailedAttempt, of part: inout Part, _ fault: DatabaseFault,
        using generator: inout some RandomNumberGenerator
    ) -> Pause {
        part.tries.append(attempt)
        if part.tries.count >= policy.attemptsMax {
            part.verdict = Rejection(.retriesExhausted, fault.description)
            return .none
        }
        return .backOff(policy.pause(afterFailures: part.tries.count, using: &generator))
    }

    /// Leaves the first half as the current part and the second behind it. Halves are under suspicion: the next
    /// failure splits them at once.
    private mutating func split(_ part: inout Part, failures: Int) {
        let middle = part.range.lowerBound + part.range.count / 2
        parts.append(Part(range: middle..<part.range.upperBound, failures: failures))
        part = Part(range: part.range.lowerBound..<middle, failures: failures)
    }
}

extension FailedAttempt {
    fileprivate init(_ fault: DatabaseFault, at now: Timestamp) {
        self.init(at: now, sqlState: fault.sqlState, message: fault.message)
    }
}

extension DatabaseFault {
    /// SQLSTATE classes 22 (data exception) and 23 (integrity constraint): trying again cannot help.
    fileprivate var liesInTheData: Bool {
        sqlState?.hasPrefix("22") == true || sqlState?.hasPrefix("23") == true
    }
}
