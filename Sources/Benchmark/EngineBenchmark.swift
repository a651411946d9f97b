import Glibc
import TradeEngine
import TradeModel

/// How fast an engine carries out commands, with everything that belongs to it: funds, fees, events, records and hash.
public enum EngineBenchmark {
    public struct Plan: Sendable {
        public var commandCount: Int
        public var accountCount: Int
        /// How many orders are open; each is measured.
        public var depths: [Int]
        public var roundCount: Int
        public var seed: UInt64

        public init(commandCount: Int, accountCount: Int, depths: [Int], roundCount: Int, seed: UInt64) {
            self.commandCount = commandCount
            self.accountCount = accountCount
            self.depths = depths
            self.roundCount = roundCount
            self.seed = seed
        }
    }

    /// What was found at one depth.
    public struct Result: Sendable {
        public var depth: Int
        /// One rate for each round.
        public var perSecond: [Double] = []
        /// The same, where only the time counts in which the processor was ours.
        public var perProcessorSecond: [Double] = []
        /// Of single commands, in rounds of their own; what reading the clock takes is subtracted.
        public var latencies = LatencyCounts()
        public var clockNanoseconds: Int64 = 0
        public var tradeCount: Int
        public var rejectedCount: Int
        public var hash: UInt64
    }

    /// Two engines that were given the same commands made different records.
    public struct Divergence: Error, CustomStringConvertible {
        public var description: String { "two engines made different records of the same commands" }
    }

    /// Depths alternate within each round, since machines drift.
    ///
    /// - Parameter progress: told how many of how many measurements are done.
    public static func run(_ plan: Plan, progress: (Int, Int) -> Void) throws -> [Result] {
        var results: [Result] = []
        let total = plan.depths.count * plan.roundCount
        for round in 0..<plan.roundCount {
            for (index, depth) in plan.depths.enumerated() {
                progress(round * plan.depths.count + index, total)
                try Task.checkCancellation()
                let load = EngineLoad(
                    commandCount: plan.commandCount, accountCount: plan.accountCount, depth: depth,
                    seed: plan.seed &+ UInt64(round))
                if round == 0 {
                    results.append(
                        Result(
                            depth: depth, tradeCount: load.tradeCount, rejectedCount: load.rejectedCount,
                            hash: load.hash))
                }
                let (rate, processorRate) = try rates(load)
                results[index].perSecond.append(rate)
                results[index].perProcessorSecond.append(processorRate)
                try measureLatencies(load, &results[index])
            }
        }
        return results
    }

    private static func prepared(_ load: borrowing EngineLoad) throws -> MatchingEngine {
        var engine = MatchingEngine()
        for index in 0..<load.preparationCount { _ = try engine.apply(load[index]) }
        return engine
    }

    private static func rates(_ load: borrowing EngineLoad) throws -> (Double, Double) {
        var engine = try prepared(load)
        let (begin, processorBegin) = (now(), now(CLOCK_THREAD_CPUTIME_ID))
        for index in load.preparationCount..<load.count {
            announce(after: index, of: load, to: &engine)
            _ = try engine.apply(load[index])
        }
        let (taken, processorTaken) = (now() - begin, now(CLOCK_THREAD_CPUTIME_ID) - processorBegin)
        guard engine.hash == load.hash else { throw Divergence() }
        let count = Double(load.count - load.preparationCount) * 1e9
        return (count / Double(max(taken, 1)), count / Double(max(processorTaken, 1)))
    }

    /// Commands come in batches: the engine is told of those behind the one that it carries out.
    @inline(__always) private static func announce(
        after index: Int, of load: borrowing EngineLoad, to engine: inout MatchingEngine
    ) {
        let coming = index + MatchingEngine.announcingDistance
        if coming < load.count { engine.announce(load[coming]) }
    }

    private static func measureLatencies(_ load: borrowing EngineLoad, _ result: inout Result) throws {
        var engine = try prepared(load)
        let clock = clockCost()
        result.clockNanoseconds = clock
        // So that counting never allocates while it counts.
        var counts = LatencyCounts()
        counts.reserve(nanosecondsMax: 1_000_000_000)
        var before = now()
        for index in load.preparationCount..<load.count {
            announce(after: index, of: load, to: &engine)
            _ = try engine.apply(load[index])
            let after = now()
            counts.record(nanoseconds: max(after - before - clock, 0))
            before = now()
        }
        result.latencies.add(counts)
    }

    /// What is between two readings of the clock with nothing between them.
    private static func clockCost() -> Int64 {
        var costs = (0..<10_001).map { _ in
            let before = now()
            return now() - before
        }
        costs.sort()
        return costs[5_000]
    }

    private static func now(_ clock: clockid_t = CLOCK_MONOTONIC) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
