import CommandKit
import Repository
import TradeFeed
import TradeModel
import WalletClient

/// What `deposit` and `withdraw` have in common: one operation from the arguments, or many from a file.
struct OperationArguments: ParameterGroup {
    @Option("--id", "KEY", help: "A name of your choosing for it; the same again has no effect.")
    var key: Identifier?
    @Option("--file", "FILE", help: "Read many from NDJSON, a line each; '-' is standard input.") var file: String?
    @Option("--engine", help: "Have the engine do it that takes orders here.", environment: "SETTLE_ENGINE")
    var engine: Endpoint?
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func validate() throws {
        if engine != nil, dryRun || file != nil {
            throw UsageError("an engine takes one at a time: '--engine' goes without '--file' and '--dry-run'")
        }
    }
}

private func operationFileHelp(id: String) -> String {
    """
    A line of a file is:
      {"id":"\(id)","account_id":1001,"asset":"USDT","amount":"250.00"}
    The same id with the same content has effect once; with other content it is refused.
    """
}

struct Deposit: Command {
    static let info = CommandInfo(
        "deposit", summary: "Bring money in for an account; the first deposit opens it.",
        discussion: operationFileHelp(id: "dep-1"),
        usage: ["ACCOUNT AMOUNT ASSET --id KEY [options]", "--file FILE [options]"],
        examples: [
            Example("settle deposit 1001 250.00 USDT --id dep-1", "250 USDT for account 1001."),
            Example("settle deposit --file deposits.ndjson", "Many at once."),
        ])

    @Argument("ACCOUNT", help: "Whose, such as 1001.") var account: Identifier?
    @Argument("AMOUNT", help: "How much, such as 250.00.") var amount: DecimalNumber?
    @Argument("ASSET", help: "Of what, such as USDT.") var asset: AssetSymbol?
    @OptionGroup("Operation") var arguments: OperationArguments

    func run(_ context: Context) async throws {
        try await OperationRun(.deposit, arguments, context).carryOut(account, amount, asset)
    }
}

struct Withdraw: Command {
    static let info = CommandInfo(
        "withdraw", summary: "Take money out of an account.",
        discussion: operationFileHelp(id: "wd-1"),
        usage: ["ACCOUNT AMOUNT ASSET --id KEY [options]", "--file FILE [options]"],
        examples: [
            Example("settle withdraw 1001 50.00 USDT --id wd-1", "50 USDT from account 1001."),
            Example("settle withdraw --file withdrawals.ndjson --dry-run", "What would become of each line."),
        ])

    @Argument("ACCOUNT", help: "Whose, such as 1001.") var account: Identifier?
    @Argument("AMOUNT", help: "How much, such as 250.00.") var amount: DecimalNumber?
    @Argument("ASSET", help: "Of what, such as USDT.") var asset: AssetSymbol?
    @OptionGroup("Operation") var arguments: OperationArguments

    func run(_ context: Context) async throws {
        try await OperationRun(.withdrawal, arguments, context).carryOut(account, amount, asset)
    }
}

private struct OperationRun {
    private let kind: Operation.Kind
    private let arguments: OperationArguments
    private let context: Context

    init(_ kind: Operation.Kind, _ arguments: OperationArguments, _ context: Context) {
        self.kind = kind
        self.arguments = arguments
        self.context = context
    }

    func carryOut(_ account: Identifier?, _ amount: DecimalNumber?, _ asset: AssetSymbol?) async throws {
        switch (account, amount, asset, arguments.key, arguments.file) {
        case (nil, nil, nil, nil, let file?):
            try await carryOut(file: file)
        case (let account?, let amount?, let asset?, let key?, nil):
            guard amount.isPositive else { throw UsageError("AMOUNT must be positive, not \(amount)") }
            for (name, id) in [("ACCOUNT", account), ("'--id'", key)] where id.hasOuterBlanks {
                throw UsageError("\(name) must not begin or end with a blank: '\(id)'")
            }
            try await carryOut(
                Operation(key: key, kind: kind, account: account, asset: asset, amount: amount))
        case (_?, _?, _?, nil, nil):
            let command = kind == .deposit ? "deposit" : "withdraw"
            throw UsageError(
                "missing option '--id KEY' for '\(command)': a name of your choosing, by which a repetition is known")
        default:
            throw UsageError("give ACCOUNT AMOUNT ASSET and '--id KEY', or '--file FILE' alone")
        }
    }

    private func carryOut(_ operation: Operation) async throws {
        if let engine = arguments.engine { return try await carryOut(operation, by: engine) }
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let asset = try CatalogStore.read(connection).known(operation.asset)
        guard let amount = operation.amount.amount(decimals: asset.decimals)?.text(decimals: asset.decimals) else {
            throw UsageError(
                "AMOUNT \(operation.amount) does not fit \(asset.symbol), "
                    + "which has \(asset.decimals.counted("decimal"))")
        }
        if let rejection = try ReservedNames(connection).rejection(of: operation) {
            throw CommandFailure(rejection.message.printable)
        }
        try requireNoEngine(connection)
        let item = SettlementItem(.operation(operation), origin: .message("command line"))
        let wallet = DirectWallet(database)
        let outcome = try await arguments.dryRun ? wallet.preview([item])[0] : wallet.settle([item])[0]
        if case .rejected(let rejection) = outcome { throw try failure(rejection, of: operation, on: connection) }
        try context.output.show([
            "id": .id(operation.key), "kind": .string(kind.rawValue), "account": .id(operation.account),
            "asset": .string(asset.symbol.text), "amount": .string(amount),
            "outcome": .string(outcome == .duplicate ? "duplicate" : arguments.dryRun ? "would_apply" : "applied"),
        ]) {
            let what =
                "\(kind.rawValue) \(operation.key.text.printable): \(amount) \(asset.symbol), "
                + "account \(operation.account.text.printable)"
            try context.output.line(
                outcome == .duplicate
                    ? "\(what) (was there already; nothing moved)"
                    : arguments.dryRun ? "\(what) (would be carried out)" : what)
        }
    }

    /// What an engine does not know of, it would trade with.
    private func requireNoEngine(_ connection: PostgresConnection) throws {
        let streams = FeedStateStore.decode(try connection.query(FeedStateStore.list()))
        guard let stream = streams.first(where: \.isInUse)?.stream else { return }
        throw CommandFailure(
            "the money is in the hands of an engine, whose output '\(stream)' is settled here: "
                + "give '--engine' the place where it takes orders")
    }

    /// An engine that the environment named may be one that nobody thinks of any more.
    private var engineOrigin: String {
        switch arguments.$engine {
        case .environment(let name): " (named by \(name))"
        case .supplied(let place): " (named in \(place))"
        case .commandLine, .default: ""
        }
    }

    private func carryOut(_ operation: Operation, by engine: Endpoint) async throws {
        let transfer = Transfer(
            key: operation.key, account: operation.account, asset: operation.asset, amount: operation.amount)
        let access = try EngineAccess(engine)
        let record = try await access.record(
            of: kind == .deposit ? .deposit(transfer) : .withdraw(transfer))
        let isDuplicate = record.rejection == .duplicateOperation
        if let reason = record.rejection, !isDuplicate {
            throw access.refusal(reason, origin: engineOrigin)
        }
        try context.output.show([
            "id": .id(operation.key), "kind": .string(kind.rawValue), "account": .id(operation.account),
            "asset": .string(operation.asset.text), "amount": .string(operation.amount.description),
            "outcome": .string(isDuplicate ? "duplicate" : "applied"), "sequence": .count(record.sequence),
        ]) {
            try context.output.line(
                "\(kind.rawValue) \(operation.key.text.printable): \(operation.amount) \(operation.asset), account "
                    + operation.account.text.printable + (isDuplicate ? " (was there already; nothing moved)" : ""))
        }
    }

    /// What a rejection means to whoever typed the command, and what to do next.
    private func failure(
        _ rejection: Rejection, of operation: Operation, on connection: PostgresConnection
    ) throws -> CommandFailure {
        let account = AccountStore.decode(try connection.query(AccountStore.find([operation.account]))).first
        let message = rejection.message.printable
        let name = operation.account.text.shellQuoted.printable
        switch (rejection.failureClass, account?.status) {
        case (.unknownAccount, nil): return .noAccount(operation.account)
        case (.conflict, _): return CommandFailure("\(message); give another '--id'")
        case (.unknownAccount, .closed?), (.invalid, .frozen?):
            return CommandFailure("\(message); 'settle account show \(name)' says since when and why")
        case (.insufficientFunds, _):
            return CommandFailure("\(message). 'settle balance \(name)' shows what there is")
        default: return CommandFailure(message)
        }
    }

    // MARK: Files

    /// A dry run remembers nothing from one chunk to the next, so it takes the whole file as one, as far as that goes.
    private static let dryRunLinesMax = 100_000
    private struct Tally {
        var applied = 0
        var duplicates = 0
        var refused = 0
        /// The first of the refused lines.
        var refusals: [LineRefusal] = []
        var count: Int { applied + duplicates + refused }
    }

    /// What has been read and not been carried out.
    private struct Chunk {
        var items: [(line: Int, item: SettlementItem)] = []
        var refusals: [LineRefusal] = []
        var count: Int { items.count + refusals.count }
    }

    private func carryOut(file: String) async throws {
        var reader = try LineReader(file)
        reader.invite("\(kind.rawValue)s", context)
        let database = try Database(context)
        defer { database.leave() }
        let wallet = DirectWallet(database)
        let connection = try database.connect()
        try requireNoEngine(connection)
        let names = ReservedNames(connection)
        let progress = ProgressLine(context.output)
        let chunkSize = arguments.dryRun ? Self.dryRunLinesMax : database.limits.batchSizeMax
        var tally = Tally()
        var lineNumber = 0
        var chunk = Chunk()
        while true {
            let line = try reader.next()
            if let line {
                lineNumber += 1
                switch WireDecoder.decodeOperationLine(line, kind: kind) {
                case .success(let operation):
                    if let rejection = try names.rejection(of: operation) {
                        chunk.refusals.append(LineRefusal(line: lineNumber, rejection: rejection))
                        break
                    }
                    chunk.items.append((lineNumber, SettlementItem(.operation(operation), origin: .message(file))))
                case .failure(let rejection):
                    chunk.refusals.append(LineRefusal(line: lineNumber, rejection: rejection))
                case nil: break
                }
            }
            if chunk.count == chunkSize || line == nil {
                try await carryOut(&chunk, wallet, &tally)
                if arguments.dryRun, line != nil {
                    context.output.note("what follows line \(lineNumber) is judged without the lines before it")
                }
                progress.update(tally.count)
            }
            if line == nil { break }
        }
        progress.finish()
        try context.output.show([
            arguments.dryRun ? "would_apply" : "applied": .integer(tally.applied),
            "duplicates": .integer(tally.duplicates), "refused": .integer(tally.refused),
            "refusals": .array(tally.refusals.map(\.json)),
            "refusals_has_more": .bool(tally.refused > tally.refusals.count),
        ]) {
            try context.output.line(
                "\(tally.applied.counted(kind.rawValue)) \(arguments.dryRun ? "would be " : "")carried out, "
                    + "\(tally.duplicates.counted("was", plural: "were")) there already, "
                    + "\(tally.refused.grouped) refused")
        }
        try context.output.flush()
        if tally.refused > 0 {
            throw CommandFailure(
                arguments.dryRun
                    ? tally.refused.counted("line would be", plural: "lines would be") + " refused"
                    : tally.refused.counted("line was", plural: "lines were")
                        + " refused; mend the file and give it again: what was carried out has no effect twice")
        }
    }

    /// Carries out what was read, and names what is refused in the order of the lines.
    private func carryOut(_ chunk: inout Chunk, _ wallet: DirectWallet, _ tally: inout Tally) async throws {
        var refusals = chunk.refusals
        if !chunk.items.isEmpty {
            let items = chunk.items.map(\.item)
            let outcomes = try await arguments.dryRun ? wallet.preview(items) : wallet.settle(items)
            for ((line, _), outcome) in zip(chunk.items, outcomes) {
                switch outcome {
                case .settled: tally.applied += 1
                case .duplicate, .deferred: tally.duplicates += 1
                case .rejected(let rejection): refusals.append(LineRefusal(line: line, rejection: rejection))
                }
            }
        }
        refusals.sort { $0.line < $1.line }
        for refusal in refusals { context.output.note("line \(refusal.line): \(refusal.rejection.message)") }
        tally.refused += refusals.count
        tally.refusals += refusals.prefix(LineRefusal.shownMax - tally.refusals.count)
        chunk = Chunk()
    }
}
