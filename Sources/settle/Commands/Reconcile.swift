import CommandKit
import EngineHost
import Repository
import TradeFeed
import TradeModel

struct Reconcile: Command {
    static let info = CommandInfo(
        "reconcile", summary: "Compare the books with an engine at the same record, or with a file of trades.",
        discussion: """
            With an engine, both go on working meanwhile: the engine says what everybody had at one record, and of the \
            ledger nothing counts that came behind it. Accounts that only others move are left out; one that is also \
            moved by others differs by nature, and so does the house's where others earn it fees. --trades also reads \
            the engine's feed up to that record, as far back as it is kept, and looks for each of its trades. --as-of \
            compares at a record that is past: what the engine and the books have done since is taken off on both \
            sides. The engine's part of that is read from its feed, so the record behind it must still be kept there.
            --against compares the trades of a file: NDJSON as 'settle trade submit' takes it, what 'settle export \
            trades' wrote, or CSV with the names of its columns in the first line (market, trade_id, price, quantity, \
            buyer_id, seller_id, buyer_fee, seller_fee, executed_at and others). Numbers compare as numbers, and only \
            what the file says is compared. The file should have all that was settled in its markets from its first to \
            its last trade: by committed_at if every line says it, else by executed_at; if neither, all there is. \
            --market, --since and --until say otherwise.
            --fix stores what is missing here as PENDING, and touches nothing else: nothing that has entries in the \
            ledger, though its row be gone. Run 'settle verify' before it. What a comparison came to is kept in \
            reconciliation_jobs and reconciliation_errors. Exits 3 if anything differs, and names it.
            """,
        examples: [
            Example("settle reconcile", "The engine on this machine."),
            Example("settle reconcile --engine tcp://127.0.0.1:5560 --wait 5s --json", "For a script."),
            Example("settle reconcile --as-of 4 --feed tcp://127.0.0.1:5561", "What both had at record 4."),
            Example("settle reconcile --against trades.ndjson --market BTC/USDT --since 1h", "A file."),
            Example(
                "settle reconcile --against trades.ndjson --fix --dry-run",
                "What of a file would be stored, since it is missing here."),
        ])

    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint
    @Option("--stream", "NAME", help: "What its output is called.", environment: "SETTLE_STREAM", default: .main)
    var stream: Identifier
    @Option("--wait", help: "How long the books may take to come to the record.", default: .seconds(30))
    var patience: Duration
    @Flag("--without-house", help: "Leave out what the exchange itself earned.") var withoutHouse: Bool
    @Flag("--trades", help: "Look for each trade of the engine's feed, too.") var comparesTrades: Bool
    @Option("--as-of", "SEQ", help: "Compare at this record, and not at the engine's newest.") var asOf: Int64?
    @Option(
        "--feed", help: "Where the engine publishes, for --trades and --as-of.", environment: "SETTLE_FEED",
        default: .feed)
    var feed: Endpoint
    @Option("--against", "FILE", help: "Compare with the trades of this file, '-' for standard input.")
    var file: String?
    @Option("--format", help: "What the file is; without it, as its name ends, or as it begins.")
    var format: TradeFileFormat?
    @Option("--market", help: "What the file should have: this market's. Also the market of lines that name none.")
    var market: MarketSymbol?
    @Option(
        "--since", "TIME",
        help: "What the file should have: from then on. Written 2026-01-02, 2026-01-02T03:04:05Z, 30m (ago) or now.")
    var since: Timestamp?
    @Option("--until", "TIME", help: "What the file should have: before then, written likewise.")
    var until: Timestamp?
    @OptionGroup("What is missing") var fix: FixOptions

    func validate() throws {
        try checkPeriod(since: since, until: until)
        if let asOf, asOf < 1 { throw UsageError("'--as-of' is a record's number, from 1 on, not \(asOf)") }
        guard file == nil else {
            for (name, isGiven) in [
                ("--engine", $engine == .commandLine), ("--stream", $stream == .commandLine),
                ("--wait", $patience == .commandLine), ("--without-house", withoutHouse), ("--trades", comparesTrades),
                ("--feed", $feed == .commandLine), ("--as-of", asOf != nil),
            ] where isGiven {
                throw UsageError("'\(name)' is for an engine, '--against' for a file")
            }
            return
        }
        for (name, isGiven) in [
            ("--format", format != nil), ("--market", market != nil), ("--since", since != nil),
            ("--until", until != nil),
        ] where isGiven {
            throw UsageError("'\(name)' goes with '--against'")
        }
        if fix.isWanted, !comparesTrades {
            throw UsageError("'--fix' goes with '--against' or with '--trades': balances are never changed")
        }
    }

    func run(_ context: Context) async throws {
        if let file {
            return try FileReconciliation(
                path: file, format: format, market: market, since: since, until: until, fix: fix
            ).run(context)
        }
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let progress = ProgressLine(context.output)
        let result = try await EngineReconciliation(
            engine: engine, stream: stream, patience: patience, connection: connection,
            past: asOf.map { ($0, feed) }
        ).compare(comparesHouse: !withoutHouse, progress: progress.update)
        progress.finish()
        let found = result.comparison.found
        let job = try ReconciliationStore.record(found, actor: operatorName, on: connection)
        let check = comparesTrades ? try await checkTrades(found, try database.connect(), context) : nil
        try EngineReconciliationReport(
            result, job: job, trades: check.map { TradeReconciliationReport(check: $0, dryRun: fix.dryRun) }
        ).print(to: context.output)
        try context.output.flush()
        if found.differenceCount > 0 { throw CommandFailure("the engine and the ledger differ", exit: .mismatch) }
        if let check, check.openCount > 0 {
            throw CommandFailure("the engine's trades and the books differ", exit: .mismatch)
        }
    }

    /// Looks in the books for each trade that the feed still has up to the record.
    private func checkTrades(
        _ balances: BalanceReconciliation, _ connection: PostgresConnection, _ context: Context
    ) async throws -> TradeCheck {
        var check = try TradeCheck(
            .engine(stream: stream, sequence: balances.sequence, watermark: balances.watermark), on: connection,
            context.output)
        let progress = ProgressLine(context.output, title: "reading the feed")
        let first = try await EngineTrades(feed: feed, stream: stream).read(upTo: balances.sequence) { page in
            try check.add(page)
            progress.update(Int(check.found.tradeCount))
        }
        progress.finish()
        _ = try check.finish()
        try check.compare(
            expecting: first <= balances.sequence ? .records(first...balances.sequence, of: stream) : .nothing,
            keeps: !fix.dryRun)
        if first > 1 {
            context.output.note("the feed begins at record \(first); trades before it were not compared")
        }
        try fix.apply(to: &check, context)
        return check
    }
}
