import Benchmark
import CommandKit
import TradeFeed

/// What `settle bench engine` found.
struct EngineBenchReport {
    let commandCount: Int
    let accountCount: Int
    let roundCount: Int
    let seed: UInt64
    /// One for each depth.
    var core: [EngineBenchmark.Result] = []
    var ways: [EngineWayBenchmark.Result] = []

    /// What the log on disk leaves of the rate.
    private var logRatio: Double? {
        func median(_ way: EngineWayBenchmark.Way) -> Double? {
            ways.first { $0.way == way }.flatMap { Spread($0.perSecond)?.median }
        }
        guard let memory = median(.memory), let log = median(.log), memory > 0 else { return nil }
        return log / memory
    }

    // MARK: For scripts

    var json: JSONValue {
        let first = core.first.map { (Spread($0.perSecond), $0.latencies) }
        let other = ways.first.map { (Spread($0.perSecond), $0.latencies) }
        let (rate, latencies) = first ?? other ?? (nil, LatencyCounts())
        return [
            "commands_per_second": .measure(rate?.median, decimals: 0), "latency_ns": Self.json(latencies),
            "depths": .array(core.map(Self.json)), "ways": .array(ways.map(Self.json)),
            "ratio": ["log": .measure(logRatio, decimals: 2)],
            "clock_ns": .count(core.first?.clockNanoseconds),
            "commands": .integer(commandCount), "accounts": .integer(accountCount), "rounds": .integer(roundCount),
            "seed": .string(String(seed)),
        ]
    }

    private static func json(_ result: EngineBenchmark.Result) -> JSONValue {
        let spread = Spread(result.perSecond)
        return [
            "open_orders": .integer(result.depth), "commands_per_second": .measure(spread?.median, decimals: 0),
            "commands_per_second_min": .measure(spread?.minimum, decimals: 0),
            "commands_per_second_max": .measure(spread?.maximum, decimals: 0),
            "commands_per_processor_second": .measure(Spread(result.perProcessorSecond)?.median, decimals: 0),
            "latency_ns": json(result.latencies), "trades": .integer(result.tradeCount),
            "rejected": .integer(result.rejectedCount), "hash": .string(result.hash.hexadecimal),
        ]
    }

    private static func json(_ result: EngineWayBenchmark.Result) -> JSONValue {
        let spread = Spread(result.perSecond)
        return [
            "way": .string(result.way.rawValue), "commands_per_second": .measure(spread?.median, decimals: 0),
            "commands_per_second_min": .measure(spread?.minimum, decimals: 0),
            "commands_per_second_max": .measure(spread?.maximum, decimals: 0),
            "latency_ns": json(result.latencies),
        ]
    }

    private static func json(_ latencies: LatencyCounts) -> JSONValue {
        [
            "p50": .count(latencies.nanoseconds(perMille: 500)), "p99": .count(latencies.nanoseconds(perMille: 990)),
            "p999": .count(latencies.nanoseconds(perMille: 999)), "max": .count(latencies.maximumNanoseconds),
        ]
    }

    // MARK: For people

    func write(to output: Output) throws {
        if !core.isEmpty { try writeCore(to: output) }
        if !core.isEmpty, !ways.isEmpty { try output.line("") }
        if !ways.isEmpty { try writeWays(to: output) }
    }

    private func writeCore(to output: Output) throws {
        var table = Table(
            .init("OPEN ORDERS", .right), .init("COMMANDS/S", .right), .init("RANGE", .right),
            .init("A CPU SECOND", .right), .init("P50 NS", .right),
            .init("P99", .right), .init("P99.9", .right), .init("MAX", .right), .init("TRADES", .right), "HASH")
        for result in core {
            let spread = Spread(result.perSecond)
            func latency(_ perMille: Int) -> String {
                result.latencies.nanoseconds(perMille: perMille).map { Int($0).grouped } ?? "-"
            }
            table.add(
                .init(result.depth.grouped), .init(spread.whole { $0.median }), .init(Self.range(spread)),
                .init(Spread(result.perProcessorSecond).whole { $0.median }), .init(latency(500)),
                .init(latency(990)), .init(latency(999)), .init(Int(result.latencies.maximumNanoseconds).grouped),
                .init(result.tradeCount.grouped), .init(result.hash.hexadecimal))
        }
        try output.print(table)
        try output.line(
            "\(commandCount.counted("command")) in each of \(roundCount.counted("round")), seed \(seed); "
                + "reading the clock took \(core[0].clockNanoseconds) ns, which is subtracted")
    }

    private func writeWays(to output: Output) throws {
        var table = Table(
            "THE WHOLE WAY", .init("COMMANDS/S", .right), .init("RANGE", .right), .init("P50 US", .right),
            .init("P99", .right), .init("P99.9", .right), .init("MAX", .right))
        for result in ways {
            let spread = Spread(result.perSecond)
            func microseconds(_ nanoseconds: Int64?) -> String { nanoseconds.map { Int($0 / 1_000).grouped } ?? "-" }
            let quantiles = [500, 990, 999].map { microseconds(result.latencies.nanoseconds(perMille: $0)) }
            table.add(
                .init(result.way.rawValue), .init(spread.whole { $0.median }), .init(Self.range(spread)),
                .init(quantiles[0]), .init(quantiles[1]), .init(quantiles[2]),
                .init(microseconds(result.latencies.maximumNanoseconds)))
        }
        try output.print(table)
        let remark = "from when a command was due to its record at a consumer, at half of the rate"
        let ratio = logRatio.map { "; the log leaves \(Int(($0 * 100).rounded()))% of it" } ?? ""
        try output.line(remark + ratio)
    }

    private static func range(_ spread: Spread?) -> String {
        "\(spread.whole { $0.minimum })–\(spread.whole { $0.maximum })"
    }
}
