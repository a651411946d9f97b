import CommandKit
import Repository
import TradeModel

/// The options of all exports, and what they have in common.
struct ExportOptions: ParameterGroup {
    @Option(
        "--since", "TIME",
        help: "Only what was committed from then on: 2026-01-02, 2026-01-02T03:04:05Z, 30m (ago) or now.")
    var since: Timestamp?
    @Option("--until", "TIME", help: "Only what was committed before then; without it, before now.")
    var until: Timestamp?
    @Option("--after", "BATCH", help: "Go on behind this batch, the last of an earlier export.") var after: Int64?
    @Option(
        "--format", help: "CSV with a header, or a JSON object a line; without it, as the file's name ends, or CSV.")
    var format: ExportFormat?
    @Option("-O", "--output-file", "FILE", help: "Write to this file, which appears when it is complete.")
    var file: String?
    @Flag("--force", help: "Replace the file if it exists.") var force: Bool

    func validate() throws {
        if since != nil, after != nil { throw UsageError("'--since' goes without '--after'") }
        try checkPeriod(since: since, until: until)
        if force, file == nil { throw UsageError("'--force' goes with '--output-file'") }
    }

    /// Writes one page of records after the other.
    ///
    /// - Parameter nextPage: the records of the next page; nil after the last.
    func run<Record: ExportRecord>(
        _ context: Context, total: (CommittedBatches) throws -> Int,
        nextPage: (inout CommittedBatches) throws -> [Record]?
    ) throws {
        guard context.output.format != .json else {
            throw UsageError("an export is written as csv or jsonl; '--format' says which")
        }
        let named: ExportFormat? =
            [".jsonl", ".ndjson"].contains { self.file?.lowercased().hasSuffix($0) == true } ? .jsonl : nil
        let format = context.output.format == .jsonl ? .jsonl : self.format ?? named ?? .csv
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        var batches = try open(connection)
        let file = try ExportFile(self.file, overwrites: force, context.output)
        // What is not finished has to be removed, so that a second signal changes nothing.
        let interruption = self.file.map { _ in Interruption(second: {}) }
        defer { interruption?.letGo() }
        let showsProgress = context.terminal.errorIsTerminal && !(self.file == nil && context.terminal.outputIsTerminal)
        let progress = ProgressLine(context.output, total: showsProgress ? try total(batches) : nil)

        try file.write(format.header(Record.columns))
        var count = 0
        while let page = try nextPage(&batches) {
            if interruption?.isAsked == true {
                throw CommandFailure("interrupted; \(self.file?.printable ?? "") was not written", exit: .forced)
            }
            var text = ""
            for record in page { text += format.line(Record.columns, record.values) }
            try file.write(text)
            count += page.count
            if showsProgress { progress.update(count) }
        }
        progress.finish()
        try file.finish()
        let last = batches.place.batch >= 0 ? " Its last batch is \(batches.place.batch)." : ""
        let next = batches.until.map { " Go on with --since \($0)" } ?? ""
        context.output.note("\(count.counted("record")).\(last)\(next)")
    }

    private func open(_ connection: PostgresConnection) throws -> CommittedBatches {
        var place = CommittedBatches.Place(time: since ?? Timestamp(microseconds: 0))
        if let after {
            guard let found = try CommittedBatches.place(of: after, on: connection) else {
                throw CommandFailure(
                    "there is no batch \(after); an export ends by naming its last one", exit: .notFound)
            }
            place = found
        }
        return try CommittedBatches(after: place, until: until, on: connection)
    }
}

struct ExportLedger: Command {
    static let info = CommandInfo(
        "ledger", summary: "Export ledger entries in the order of their commits.",
        discussion: """
            Every entry that was committed in the time is there, once: an export that goes on with the time at which \
            this one ended misses nothing and repeats nothing. The order of one balance is that of its versions.
            """,
        examples: [
            Example("settle export ledger --since 2026-01-01 --until 2026-02-01 -O january.csv", "A month, to a file."),
            Example("settle export ledger --format jsonl", "Everything, to a pipe."),
        ])

    @OptionGroup("Export") var options: ExportOptions

    func run(_ context: Context) async throws {
        try options.run(context, total: { try $0.totals().entries }) { try $0.nextEntries() }
    }
}

struct ExportTrades: Command {
    static let info = CommandInfo(
        "trades", summary: "Export settled trades in the order of their commits.",
        discussion: """
            Every trade that was settled in the time is there, once: an export that goes on with the time at which this \
            one ended misses nothing and repeats nothing.
            """,
        examples: [
            Example("settle export trades --since 2026-01-01 --until 2026-02-01 -O january.csv", "A month, to a file."),
            Example("settle export trades --after 3 --format jsonl", "What came after a batch."),
        ])

    @OptionGroup("Export") var options: ExportOptions

    func run(_ context: Context) async throws {
        try options.run(context, total: { try $0.totals().trades }) { try $0.nextTrades() }
    }
}
