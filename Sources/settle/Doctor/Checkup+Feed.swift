import CommandKit
import Repository

/// The streams of engines: whether they are followed, and keep up.
extension Checkup {
    func feed() throws -> [Finding] {
        let answers = try connection.pipeline([
            FeedStateStore.list(), FeedGapStore.list(isOpen: true, isFollowed: true),
            TradeStreamStore.lacking(forSeconds: thresholds.missingSecondsMax),
        ])
        let gaps = FeedGapStore.decode(answers[1])
        let states = FeedStateStore.decode(answers[0])
        let findings =
            states.map { state in finding(state, gaps.first { $0.stream == state.stream }) }
            + TradeStreamStore.decodeLacking(answers[2]).map(finding)
        return findings.isEmpty ? [.ok("feed", "no engine is followed, and no numbered trade is missing")] : findings
    }

    private func finding(_ lacking: LackingStream) -> Finding {
        let age = (lacking.now.microseconds - lacking.oldestAt.microseconds) / 1_000
        return .problem(
            "feed",
            "stream \(lacking.stream.text) lacks \(lacking.missingCount.counted("trade")) in "
                + "\(lacking.gapCount.counted("gap")), the oldest for \(Self.duration(age))",
            remedy: "settle feed gaps --stream \(lacking.stream.text.shellQuoted)")
    }

    private func finding(_ state: FeedState, _ gap: FeedGap?) -> Finding {
        let name = "feed"
        let stream = "stream \(state.stream.text)"
        let remedy = state.remedy(gap)
        if let reason = state.haltedFor, let remedy {
            let lost = gap.map { " (records \($0.records.lowerBound) to \($0.records.upperBound) are missing)" } ?? ""
            return .problem(
                name, "\(stream) is halted behind record \(state.watermark): \(reason)\(lost)", remedy: remedy)
        }
        if let silence = state.silenceMilliseconds, let remedy {
            return .problem(
                name,
                "nothing was heard from the feed of \(stream) for \(Self.duration(silence)); it is settled up to "
                    + "record \(state.watermark), and worker \(state.follower ?? 0) asks again and again",
                remedy: remedy)
        }
        if let remedy {
            return .remark(
                name, "nobody follows \(stream), which is settled up to record \(state.watermark)", remedy: remedy)
        }
        let lag = state.newest - state.watermark
        let still = (state.now.microseconds - state.advancedAt.microseconds) / 1_000
        if lag > 0, still > thresholds.standstillMillisecondsMax {
            return .problem(
                name,
                "\(stream) has not moved from record \(state.watermark) for \(Self.duration(still)), "
                    + "\(lag.counted("record")) behind the engine; the log of worker \(state.follower ?? 0) says what "
                    + "holds it up",
                remedy: "settle queue status")
        }
        if lag > thresholds.lagRecordsMax {
            return .remark(
                name, "\(stream) is \(lag.counted("record")) behind the engine", remedy: "settle queue status")
        }
        return .ok(name, "\(stream) is followed, and settled up to record \(state.watermark)")
    }
}
