import Benchmark
import CommandKit
import Glibc
import Repository
import ServiceKit

struct RunBench: Command {
    static let info = CommandInfo(
        "bench", summary: "Measure how fast this server settles, and how fast it does the same in other ways.",
        discussion: """
            Trades are made from a seed, decoded, queued, settled and committed as everywhere else, in a scratch \
            database (a scratch schema where the role may not create databases) that is dropped at the end; what is \
            there is not touched. All that is measured alternates within each round, since machines drift; ratios are \
            the medians of the rounds. Before them, uniform trades are settled until the connections have met nearly \
            all accounts, as those of a service that has run for a while have. With --rate, latency counts from the \
            moment at which a trade was due. At the end the books are verified; exits 3 if they do not balance, or if \
            a bound that was given does not hold.
            """,
        examples: [
            Example("settle bench", "Five seconds, three times, on uniform accounts."),
            Example("settle bench --skew uniform,hot,ten,zipf --compare naive,pgbench", "With who trades with whom."),
            Example("settle bench --rate 50% -o json", "Latency at half of the load that it can take."),
            Example("settle bench --rate 10%,50%,90%", "Latency as the load grows."),
            Example("settle bench --prefill 0,1M", "With empty tables, and with a million trades in them."),
            Example("settle bench --compare naive --at-least naive=7", "Exits 3 where it is slower than that."),
            Example("settle bench --trades 100k --unfundable 1 --duplicates 1", "With some that cannot be settled."),
        ])

    @Option("--trades", "N", help: "Settle so many trades in each measurement.") var trades: Count?
    @Option("--for", help: "Settle for so long in each measurement. (default: 5s)") var time: Duration?
    @Option("--warm-up", help: "Settle for so long before, with --for.", default: .seconds(2))
    var warmUp: Duration
    @Option("--rounds", "N", help: "How often everything is measured.", default: 3) var rounds: Count
    @Option("--accounts", "N", help: "How many accounts there are.", default: 100_000) var accounts: Count
    @Option(
        "--skew",
        help: "Who trades: uniform; hot (80% with one market maker); ten (accounts in all); zipf or zipf:2.0.",
        default: CommaList([SkewName(.uniform)]))
    var skew: CommaList<SkewName>
    @Option("--zipf", help: "The exponent of 'zipf'.", default: Exponent(hundredths: 100)) var zipf: Exponent
    @Option("--unfundable", help: "How many trades cannot be paid.", default: Percent(basisPoints: 0))
    var unfundable: Percent
    @Option("--duplicates", help: "How many messages repeat an earlier one.", default: Percent(basisPoints: 0))
    var duplicates: Percent
    @Option(
        "--rate",
        help: """
            Trades arrive at this pace: N/s, or N% of what is reached without one (which is measured first); several \
            are measured one after the other.
            """)
    var rate: CommaList<BenchPace>?
    @Option("--processes", "N", help: "How many processes settle.", default: 1) var processes: Count
    @Option(
        "--prefill", "N,N",
        help: "How many trades the tables hold before; ascending numbers are stages, each with rounds of its own.",
        default: CommaList([0]))
    var prefill: CommaList<Count>
    @Option("--compare", help: "Also measure other ways to do it, on the same server.")
    var compare: CommaList<Comparison>?
    @Option(
        "--at-least", "NAME=N",
        help: "Exit 3 where settling is not so many times as fast as an opponent: naive=7,pgbench=3.")
    var atLeast: CommaList<RatioBound>?
    @Option("--memory-max", help: "Exit 3 where a process that settles takes more memory.") var memoryMax: ByteSize?
    @Option("--pgbench-scale", "N", help: "The scale of pgbench's tables.", default: 50) var pgbenchScale: Count
    @Option("--seed", "N", help: "The same seed makes the same trades.", default: 1) var seed: UInt64
    @OptionGroup("Limits") var limits: LimitOptions
    @Flag("--yes", "-y", help: "Put the load on a server that is not the private one.") var yes: Bool

    func validate() throws {
        if trades != nil, time != nil { throw UsageError("'--trades' contradicts '--for'") }
        try trades?.check("--trades", 1...1_000_000_000)
        try rounds.check("--rounds", 1...1_000)
        try accounts.check("--accounts", 10...10_000_000)
        try processes.check("--processes", 1...64)
        for count in prefill.elements { try count.check("--prefill", 0...1_000_000_000) }
        guard zip(prefill.elements, prefill.elements.dropFirst()).allSatisfy({ $0.value < $1.value }) else {
            throw UsageError("the numbers of '--prefill' do not ascend")
        }
        let opponents = compare?.elements.flatMap(\.opponents) ?? []
        for bound in atLeast?.elements ?? [] where !opponents.contains(bound.opponent) {
            throw UsageError("'--at-least \(bound.argumentText)' needs '--compare' with that opponent")
        }
        try pgbenchScale.check("--pgbench-scale", 1...10_000)
        guard (.milliseconds(100) ... .seconds(86_400)).contains(time ?? .seconds(5)) else {
            throw UsageError("'--for' is from 100ms to 24h")
        }
        guard warmUp <= .seconds(3_600) else { throw UsageError("'--warm-up' is at most 1h") }
    }

    func run(_ context: Context) async throws {
        if context.environment[LoadService.variable] != nil {
            // Another one of us measures. On a signal it tells us to stop, by the end of our input.
            for number in [SIGINT, SIGTERM] { signal(number, SIG_IGN) }
            return try await LoadService.run(limits: Limits(environment: context.environment))
        }
        let database = try Database(context, migrated: false, isMaker: true)
        defer { database.leave() }
        let address = try database.connect().address.printable
        try context.confirm(
            "This puts a heavy load on the PostgreSQL at \(address), in a scratch database that is dropped afterwards.",
            yes: yes || database.isEmbedded)

        let work = Task { try await measure(database, context) }
        let signals = StopSignals(first: { work.cancel() }, second: { _exit(130) })
        defer { signals.letGo() }
        let report: BenchmarkReport
        do {
            report = try await work.value
        } catch  where work.isCancelled {
            context.output.note("stopped; what was made for the benchmark is removed")
            return
        } catch let error as BenchmarkError {
            throw CommandFailure("the benchmark failed: \(error)")
        }
        let bounds = report.bounds(ratios: atLeast?.elements ?? [], memoryMax: memoryMax)
        try context.output.show(report.json(bounds)) { try report.write(to: context.output, bounds) }
        try context.output.flush()
        if report.verification?.isClean == false {
            throw CommandFailure("the books do not balance", exit: .mismatch)
        }
        let broken = bounds.filter { !$0.holds }
        if !broken.isEmpty {
            throw CommandFailure(broken.map(\.text).joined(separator: "; "), exit: .mismatch)
        }
    }

    private func measure(_ database: Database, _ context: Context) async throws -> BenchmarkReport {
        let output = context.output
        let stages = StageLine(output)
        let scratch = try ScratchDatabase(
            beside: database.connectionString, limits: database.limits,
            migrations: MigrationFiles.find(environment: context.environment)
        ) { output.note($0) }
        defer { scratch.drop { output.note($0) } }
        let plan = plan(limits.applied(to: database.limits))
        output.note(
            "measuring in the scratch \(scratch.kind.rawValue) \(scratch.name), seed \(seed); "
                + "Ctrl-C stops and removes it")
        defer { stages.finish() }
        return try await Benchmark(plan, in: scratch) {
            stages.finish()
            output.note($0)
        } progress: {
            stages.show($0, done: $1, of: $2)
        }.run()
    }

    private func plan(_ limits: Limits) -> BenchmarkPlan {
        var plan = BenchmarkPlan()
        plan.skews = skew.elements.map { $0.skew(defaultExponent: zipf) }
        plan.accountCount = accounts.value
        plan.unfundableBasisPoints = unfundable.basisPoints
        plan.duplicateBasisPoints = duplicates.basisPoints
        plan.amount = trades.map { .trades($0.value) } ?? .milliseconds(Self.milliseconds(time ?? .seconds(5)))
        plan.warmUpMilliseconds = Self.milliseconds(warmUp)
        plan.paces = rate?.elements.map(\.pace) ?? []
        plan.roundCount = rounds.value
        plan.processCount = processes.value
        plan.prefillCounts = prefill.elements.map(\.value)
        plan.opponents = (compare?.elements ?? []).flatMap(\.opponents)
        plan.pgbenchScale = pgbenchScale.value
        plan.seed = seed
        plan.limits = limits
        plan.version = Settle.version
        return plan
    }

    private static func milliseconds(_ time: Duration) -> Int {
        Int(time.components.seconds * 1_000 + time.components.attoseconds / 1_000_000_000_000_000)
    }
}

/// The progress of one stage after the other, on one line.
private final class StageLine: Sendable {
    private let output: Output
    private let current = Guarded<(title: String, line: ProgressLine)?>(nil)

    init(_ output: Output) { self.output = output }

    func show(_ title: String, done: Int, of total: Int?) {
        let line = current.withLock { current in
            if let current, current.title == title { return current.line }
            let line = ProgressLine(output, title: title, total: total)
            current = (title, line)
            return line
        }
        line.update(done)
    }

    func finish() {
        current.withLock { current in
            current?.line.finish()
            current = nil
        }
    }
}
