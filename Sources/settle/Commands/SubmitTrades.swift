import CommandKit
import Repository
import TradeFeed
import TradeModel
import WalletClient

struct SubmitTrades: Command {
    static let info = CommandInfo(
        "submit", summary: "Store trades to be settled; whatever worker runs settles them.",
        discussion: """
            FILE is NDJSON, one trade a line; '-' is standard input. More fields, such as fees, are in docs/wire.md.
              {"id":9001,"market":"BTC/USDT","price":"50000","quantity":"0.1","buyer_id":1001,"seller_id":1002}
            A trade that is accepted is \
            stored as PENDING and will be settled or parked. One that was there before has no effect. What cannot be \
            a trade is parked in the dead letters, byte for byte, and counted as refused; then the exit code is 1.
            """,
        examples: [
            Example("settle trade submit trades.ndjson", "Store them and return."),
            Example("settle trade submit trades.ndjson --wait", "Also wait until each is settled or parked."),
        ])

    @Argument("FILE", help: "Where the trades are.", default: "-") var file: String
    @Flag("--wait", help: "Follow them, duplicates too, to their outcome; exits 1 if any is parked.") var wait: Bool
    @Flag("--dry-run", help: "Check the lines, and store nothing.") var dryRun: Bool

    func run(_ context: Context) async throws {
        let reader = try LineReader(file)
        reader.invite("trades", context)
        let database = try Database(context)
        defer { database.leave() }
        var submission = try Submission(database, context, file: file, dryRun: dryRun)
        try await submission.run(reader)
        let outcome = wait && !dryRun ? try await submission.follow() : nil
        try submission.report(outcome)
        if outcome == nil { try submission.tellWhatHolds() }
    }
}

/// Brings the lines of a file to the table of trades, in chunks.
private struct Submission {
    private static let chunkSize = 2_000
    /// Lines that are no trades may be large; what is parked at once must fit into memory and one message.
    private static let chunkBytesMax = 16_777_216

    private let database: Database
    private let connection: PostgresConnection
    private let catalog: Catalog
    private let wallet: DirectWallet
    private let context: Context
    private let source: String
    private let dryRun: Bool
    /// The trades that were accepted, and those that were there before: what `--wait` follows.
    private var keys: Set<TradeKey> = []
    /// What a dry run would have stored by now.
    private var foreseen: [TradeKey: Trade] = [:]
    private var accepted = 0
    private var duplicates = 0
    private var refused = 0
    /// The first of the refused lines; stderr names all.
    private var refusals: [LineRefusal] = []

    struct Outcome {
        var settled = 0
        /// Those that failed; the first of them is named.
        var parked = 0
        var firstParked: TradeKey?
    }

    init(_ database: Database, _ context: Context, file: String, dryRun: Bool) throws {
        self.database = database
        self.context = context
        self.dryRun = dryRun
        source = "submit \(file)"
        connection = try database.connect()
        catalog = try CatalogStore.read(connection)
        wallet = DirectWallet(database)
    }

    mutating func run(_ lines: LineReader) async throws {
        var lines = lines
        let progress = ProgressLine(context.output)
        var chunk: [(line: Int, item: SettlementItem)] = []
        var chunkBytes = 0
        var lineNumber = 0
        while let line = try lines.next() {
            lineNumber += 1
            guard let item = WireDecoder.decodeLine(line, source: source) else { continue }
            chunk.append((lineNumber, item))
            chunkBytes += line.count
            if chunk.count == Self.chunkSize || chunkBytes >= Self.chunkBytesMax {
                try await take(chunk)
                chunk.removeAll(keepingCapacity: true)
                chunkBytes = 0
                progress.update(accepted + duplicates + refused)
            }
        }
        try await take(chunk)
        progress.finish()
    }

    /// Stores what can wait for a worker. The rest is decided here and now: it exists, or it is no trade of ours.
    private mutating func take(_ chunk: [(line: Int, item: SettlementItem)]) async throws {
        var storable: [Trade] = []
        for (_, item) in chunk {
            if case .trade(let trade) = item.subject, isStorable(trade) { storable.append(trade) }
        }
        var new: Set<TradeKey> = []
        if !storable.isEmpty {
            new =
                try dryRun
                ? unknown(storable)
                : Set(TradeStore.decodeKeys(try connection.query(TradeStore.accept(storable))))
        }
        var rest: [(line: Int, item: SettlementItem)] = []
        for (line, item) in chunk {
            if case .trade(let trade) = item.subject, isStorable(trade), new.remove(trade.key) != nil {
                accepted += 1
                if dryRun { foreseen[trade.key] = trade } else { keys.insert(trade.key) }
            } else {
                rest.append((line, item))
            }
        }
        guard !rest.isEmpty else { return }
        let outcomes = try await dryRun ? wallet.preview(rest.map(\.item)) : wallet.settle(rest.map(\.item))
        for ((line, item), outcome) in zip(rest, outcomes) {
            if case .rejected(let rejection) = repetition(item) ?? outcome {
                refused += 1
                if refusals.count < LineRefusal.shownMax {
                    refusals.append(LineRefusal(line: line, rejection: rejection))
                }
                context.output.note("line \(line): \(rejection.failureClass.rawValue): \(rejection.message)")
            } else {
                duplicates += 1
                if case .trade(let trade) = item.subject { keys.insert(trade.key) }
            }
        }
    }

    /// Those of the trades that neither the database has nor an earlier line of a dry run.
    private func unknown(_ trades: [Trade]) throws -> Set<TradeKey> {
        let stored = TradeStore.decode(try connection.query(TradeStore.read(Set(trades.map(\.key)))))
        return Set(trades.map(\.key).filter { foreseen[$0] == nil }).subtracting(stored.map(\.key))
    }

    /// What becomes of a line that repeats an earlier one in a dry run, which has not stored that.
    private func repetition(_ item: SettlementItem) -> WalletClient.Outcome? {
        guard case .trade(let trade) = item.subject, let earlier = foreseen[trade.key] else { return nil }
        return earlier.hasSameContent(as: trade)
            ? .duplicate : .rejected(trade.conflict(with: earlier))
    }

    private func isStorable(_ trade: Trade) -> Bool { (try? TradeTerms(trade, in: catalog)) != nil }

    /// Waits until none of the trades is PENDING any more.
    func follow() async throws -> Outcome {
        var outcome = Outcome()
        var open = keys.sorted()[...]
        let progress = ProgressLine(context.output, total: open.count)
        var told: Set<String> = []
        while !open.isEmpty {
            let part = open.prefix(Self.chunkSize)
            let rows = TradeStore.decode(try connection.query(TradeStore.read(part)))
            let waiting = Set(rows.lazy.filter { $0.status == .pending }.map(\.key.market))
            if !waiting.isEmpty {
                for obstacle in try obstacles(waiting) where told.insert(obstacle).inserted {
                    context.output.note(obstacle)
                }
                try await Task.sleep(for: .milliseconds(50))
            } else {
                let parked = rows.filter { $0.status == .failed }
                outcome.settled += rows.count - parked.count
                outcome.parked += parked.count
                outcome.firstParked = outcome.firstParked ?? parked.first?.key
                open = open.dropFirst(part.count)
            }
            progress.update(outcome.settled + outcome.parked)
        }
        progress.finish()
        return outcome
    }

    /// Why trades of some markets wait, and what ends that, in a line for each reason.
    private func obstacles(_ markets: Set<MarketSymbol>) throws -> [String] {
        let standstill = try Standstill.read(connection)
        var lines = standstill.stops(in: markets).map(\.line)
        if try !WorkerStore.isAnyLiving(database.limits, connection) {
            lines.append("no worker is running; 'settle worker' settles what waits")
        }
        return lines
    }

    /// Tells a person what is still missing for the trades to be settled.
    func tellWhatHolds() throws {
        guard context.terminal.errorIsTerminal, accepted > 0, !dryRun else { return }
        for obstacle in try obstacles(Set(keys.map(\.market))) { context.output.note(obstacle) }
    }

    func report(_ outcome: Outcome?) throws {
        let output = context.output
        try output.show([
            dryRun ? "would_accept" : "accepted": .integer(accepted), "duplicates": .integer(duplicates),
            "refused": .integer(refused), "refusals": .array(refusals.map(\.json)),
            "refusals_has_more": .bool(refused > refusals.count),
            "settled": .count(outcome?.settled),
            "parked": .count(outcome?.parked),
        ]) {
            try output.line(
                "\(accepted.grouped) \(dryRun ? "would be " : "")accepted, \(duplicates.counted("duplicate")), "
                    + "\(refused.grouped) refused")
            if let outcome {
                try output.line("\(outcome.settled.grouped) settled, \(outcome.parked.grouped) parked")
            }
        }
        try output.flush()
        if refused > 0 {
            throw CommandFailure(
                dryRun
                    ? "\(refused.counted("line")) would be refused"
                    : refused.counted("line was", plural: "lines were")
                        + " refused; 'settle dlq list' shows \(refused == 1 ? "it" : "them")")
        }
        if let outcome, outcome.parked > 0 {
            guard outcome.parked == 1, let key = outcome.firstParked else {
                throw CommandFailure("\(outcome.parked.grouped) trades are parked; 'settle dlq list' shows them")
            }
            throw CommandFailure(
                "trade \(key) is parked. Next: settle explain \(key.description.shellQuoted)".printable)
        }
    }
}
