import Benchmark
import CommandKit
import EngineHost
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
            reading the clock takes is subtracted. Then a tenth of the commands goes the whole way: over a socket into \
            an engine that runs, without a log on disk and with one, and out by its feed to one consumer; there the \
            latency is from the moment when a command was due to the moment when the consumer has its record, at half \
            of the rate that was found.
            """,
        examples: [
            Example("settle bench engine", "Two million commands, ten thousand orders open, three times."),
            Example(
                "settle bench engine --depth 1k,100k,1M --way core", "Whether a deeper book makes a command slower."),
            Example("settle bench engine --commands 500k --rounds 1 -o json", "Quickly, for a script."),
        ])

    @Option("--commands", "N", help: "How many commands are measured in each run.", default: 2_000_000)
    var commands: Count
    @Option("--depth", "N,N", help: "How many orders are open.", default: CommaList([10_000]))
    var depth: CommaList<Count>
    @Option("--accounts", "N", help: "How many accounts there are.", default: 10_000) var accounts: Count
    @Option("--rounds", "N", help: "How often everything is measured.", default: 3) var rounds: Count
    @Option("--way", "WAY,WAY", help: "What is measured.", default: CommaList(EngineWayName.allCases))
    var ways: CommaList<EngineWayName>
    @Option("--folder", "DIR", help: "Where the log is written while it is measured.", default: ".") var folder: String
    @Option("--seed", "N", help: "The same seed makes the same commands.", default: 1) var seed: UInt64

    func validate() throws {
        try commands.check("--commands", 1...50_000_000)
        for count in depth.elements { try count.check("--depth", 1...5_000_000) }
        try accounts.check("--accounts", 2...1_000_000)
        try rounds.check("--rounds", 1...1_000)
    }

    func run(_ context: Context) async throws {
        let depths = ways.elements.contains(.core) ? depth.elements.map(\.value) : []
        let others = EngineWayBenchmark.Way.allCases.filter { way in ways.elements.contains { $0.way == way } }
        let progress = ProgressLine(
            context.output, title: "measuring", total: (depths.count + others.count) * rounds.value)
        var report = EngineBenchReport(
            commandCount: commands.value, accountCount: accounts.value, roundCount: rounds.value, seed: seed)
        do {
            report.core = try EngineBenchmark.run(
                EngineBenchmark.Plan(
                    commandCount: commands.value, accountCount: accounts.value, depths: depths,
                    roundCount: rounds.value, seed: seed)
            ) { done, _ in progress.update(done) }
            report.ways = try await EngineWayBenchmark.run(
                EngineWayBenchmark.Plan(
                    ways: others, commandCount: max(1, commands.value / 10), accountCount: accounts.value,
                    depth: depth.elements[0].value, roundCount: rounds.value, seed: seed, folder: folder)
            ) { done in progress.update(depths.count * rounds.value + done) }
            progress.finish()
        } catch let error as EngineBenchmark.Divergence {
            throw CommandFailure("the benchmark failed: \(error)", exit: .mismatch)
        } catch let error as EngineWayBenchmark.Failure {
            throw CommandFailure("the benchmark failed: \(error)", exit: .mismatch)
        } catch let error as EngineFailure {
            throw CommandFailure("the engine cannot be run: \(error.description.printable)")
        }
        try context.output.show(report.json) { try report.write(to: context.output) }
        try context.output.flush()
    }
}

/// A way that commands go, as typed.
enum EngineWayName: String, ArgumentValue, CaseIterable {
    case core, memory, log

    var way: EngineWayBenchmark.Way? { EngineWayBenchmark.Way(rawValue: rawValue) }
}
