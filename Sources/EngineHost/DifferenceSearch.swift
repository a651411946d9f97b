import TradeFeed
import TradeModel

/// Finds the first record in which an engine's log and its leader's feed differ: asks the feed with the hash that
/// stands here at a place, and halves what is left.
struct DifferenceSearch {
    private enum Comparison {
        case same, differs
        /// The leader keeps nothing before this record any more.
        case notKept(oldest: Int64)
    }

    /// How long the leader may take for an answer.
    private static let patience = Duration.seconds(2)

    let leader: String
    let stream: Identifier
    let records: any RecordLog

    /// The first record that differs, where both still keep enough to tell, and the leader answers.
    ///
    /// - Parameter last: a record that is known to differ, or to stand on one side alone.
    func first(upTo last: Int64) async throws -> Int64? {
        var low = records.extent.oldest - 1
        var high = last
        if low > 0 {
            guard case .same = try await compare(low) else { return nil }
        }
        while high - low > 1 {
            var middle = low + (high - low) / 2
            var comparison = try await compare(middle)
            if case .notKept(let oldest) = comparison {
                middle = oldest - 1
                guard middle < high else { return nil }
                comparison = try await compare(middle)
                // What came before it can no longer be told.
                guard case .same = comparison else { return nil }
            }
            switch comparison {
            case .same: low = middle
            case .differs: high = middle
            case .notKept: return nil
            }
        }
        return high
    }

    private func compare(_ sequence: Int64) async throws -> Comparison {
        let here = try records.read(from: sequence + 1, recordsMax: 1, bytesMax: 1).start
        let consumer = try FeedConsumer(
            endpoint: leader,
            start: .onlooker(
                "compare-\(UInt64.random(in: .min ... .max).hexadecimal)", of: stream, after: here.sequence,
                hash: here.hash))
        let running = Task { try await consumer.run() }
        let deadline = ContinuousClock.now + Self.patience
        var result: Result<Comparison, any Error>?
        while result == nil {
            do {
                if try consumer.takeNow() != nil || consumer.status.isFollowing {
                    result = .success(.same)
                } else if .now > deadline {
                    result = .failure(EngineFailure("the leader at \(leader) does not answer any more"))
                } else {
                    try await Task.sleep(for: .milliseconds(1))
                }
            } catch FeedFailure.hashDiffers {
                result = .success(.differs)
            } catch FeedFailure.notKept(_, let oldest) {
                result = .success(.notKept(oldest: oldest))
            } catch {
                result = .failure(error)
            }
        }
        consumer.stop()
        _ = await running.result
        return try result!.get()
    }
}
