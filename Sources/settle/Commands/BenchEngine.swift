import Benchmark
import CommandKit
import ServiceKit

struct BenchEngine: Command {
    static let info = CommandInfo(
        "engine", summary: "Measure how many commands a second the matching engine carries out.",
        discussion: """
            The engine runs by itself, in memory and on one core, with all that belongs to a command: funds held and \
            released, fees, events, the record's bytes and the chained hash. Of the commands 60% are orders that go into \
            a book, 30% cancel one, and 10% cross it and trade with several. They are made from a seed beforehand. Rates \
            are the median of the rounds; those of a CPU second count only the time in which the processor was not \
            somebody else's. The latency of single commands is measured in runs of their own, and what \
            reading the clock takes is subtracted.
            """,
        examples: [
            Example("settle bench engine", "Two million commands, ten thousand orders open, three times."),
            Example("settle bench engine --depth 1k,100k,1M", "Whether a deeper book makes a command slower."),
            Example("settle bench engine --commands 500k --rounds 1 -o json", "Quickly, for a script."),
        ])

    @Option("--commands", "N", help: "How many commands are measured in each run.", default: 2_000_000)
    var commands: Count
    @Option("--depth", "N,N", help: "How many orders are open.", default: CommaList([10_000]))
    var depth: CommaList<Count>
    @Option("--accounts", "N", help: "How many accounts there are.", default: 10_000) var accounts: Count
    @Option("--rounds", "N", help: "How often everything is measured.", default: 3) var rounds: Count
    @Option("--seed", "N", help: "The same seed makes the same commands.", default: 1) var seed: UInt64

    func validate() throws {
        func check(_ flag: String, _ value: Int, _ range: ClosedRange<Int>) throws {
            guard range.contains(value) else {
                throw UsageError(
                    "'\(flag)' is a whole number from \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
        }
        try check("--commands", commands.value, 1...50_000_000)
        for count in depth.elements { try check("--depth", count.value, 1...5_000_000) }
        try check("--accounts", accounts.value, 2...1_000_000)
        try check("--rounds", rounds.value, 1...1_000)
    }

    func run(_ context: Context) async throws {
        let plan = EngineBenchmark.Plan(
            commandCount: commands.value, accountCount: accounts.value, depths: depth.elements.map(\.value),
            roundCount: rounds.value, seed: seed)
        let progress = ProgressLine(context.output, title: "measuring", total: plan.depths.count * plan.roundCount)
        let results: [EngineBenchmark.Result]
        do {
            results = try EngineBenchmark.run(plan) { done, _ in progress.update(done) }
            progress.finish()
        } catch let error as EngineBenchmark.Divergence {
            throw CommandFailure("the benchmark failed: \(error)", exit: .mismatch)
        }
        try context.output.show(json(results)) { try write(results, to: context.output) }
        try context.output.flush()
    }

    private func json(_ results: [EngineBenchmark.Result]) -> JSONValue {
        let first = results[0]
        return [
            "commands_per_second": .measure(Spread(first.perSecond)?.median, decimals: 0),
            "latency_ns": Self.json(first.latencies),
            "depths": .array(
                results.map { result in
                    [
                        "open_orders": .integer(result.depth),
                        "commands_per_second": .measure(Spread(result.perSecond)?.median, decimals: 0),
                        "commands_per_second_min": .measure(Spread(result.perSecond)?.minimum, decimals: 0),
                        "commands_per_second_max": .measure(Spread(result.perSecond)?.maximum, decimals: 0),
                        "commands_per_processor_second": .measure(
                            Spread(result.perProcessorSecond)?.median, decimals: 0),
                        "latency_ns": Self.json(result.latencies), "trades": .integer(result.tradeCount),
                        "rejected": .integer(result.rejectedCount),
                        "hash": .string(Self.hexadecimal(result.hash)),
                    ]
                }),
            "clock_ns": .integer(Int(first.clockNanoseconds)), "commands": .integer(commands.value),
            "accounts": .integer(accounts.value), "rounds": .integer(rounds.value), "seed": .string(String(seed)),
        ]
    }

    private static func json(_ latencies: LatencyCounts) -> JSONValue {
        func value(_ nanoseconds: Int64?) -> JSONValue { nanoseconds.map { .integer(Int($0)) } ?? .null }
        return [
            "p50": value(latencies.nanoseconds(perMille: 500)), "p99": value(latencies.nanoseconds(perMille: 990)),
            "p999": value(latencies.nanoseconds(perMille: 999)), "max": value(latencies.maximumNanoseconds),
        ]
    }

    private func write(_ results: [EngineBenchmark.Result], to output: Output) throws {
        var table = Table(
            .init("OPEN ORDERS", .right), .init("COMMANDS/S", .right), .init("RANGE", .right),
            .init("A CPU SECOND", .right), .init("P50 NS", .right),
            .init("P99", .right), .init("P99.9", .right), .init("MAX", .right), .init("TRADES", .right), "HASH")
        for result in results {
            let spread = Spread(result.perSecond)
            func latency(_ perMille: Int) -> String {
                result.latencies.nanoseconds(perMille: perMille).map { Int($0).grouped } ?? "-"
            }
            table.add(
                .init(result.depth.grouped), .init(spread.whole { $0.median }),
                .init("\(spread.whole { $0.minimum })–\(spread.whole { $0.maximum })"),
                .init(Spread(result.perProcessorSecond).whole { $0.median }), .init(latency(500)),
                .init(latency(990)), .init(latency(999)), .init(Int(result.latencies.maximumNanoseconds).grouped),
                .init(result.tradeCount.grouped), .init(Self.hexadecimal(result.hash)))
        }
        try output.print(table)
        try output.line(
            "\(commands.value.counted("command")) in each of \(rounds.value.counted("round")), seed \(seed); "
                + "reading the clock took \(results[0].clockNanoseconds) ns, which is subtracted")
    }

    private static func hexadecimal(_ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
