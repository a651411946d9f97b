import CommandKit
import Repository
import TradeModel

struct RebuildBooks: Command {
    static let info = CommandInfo(
        "rebuild", summary: "Compute balances from the ledger, and the ledger's sums from the trades, and compare.",
        discussion: """
            Every balance is added up from its ledger entries, and the entries of every account from the settled trades \
            and the operations, by queries that share nothing with the settling. All of it is of one moment, and \
            read in ranges, each in one short snapshot, so that settling goes on. Differences are named and never \
            mended here; exits 3 if there are any. --account goes by the index, and by the trades that the account's \
            entries name. --into also writes what was computed to tables of a schema that it makes, 'balances' and \
            'ledger_sums'; the books stay as they are.
            """,
        examples: [
            Example("settle rebuild", "Everything."), Example("settle rebuild --account 1001", "One account."),
            Example("settle rebuild --into rebuilt", "And keep the result in a schema of its own."),
        ])

    @Option("--account", help: "Only this account; 'house' and 'world' are several, 'house/0' is one.")
    var account: Identifier?
    @Option("--into", "SCHEMA", help: "Write the result to tables there; it must be new, or of an earlier rebuild.")
    var schema: SchemaName?

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let accounts = try account.map { id in
            let found = try AccountStore.named(id, connection)
            guard !found.isEmpty else { throw CommandFailure.noAccount(id) }
            return found
        }
        if let schema = schema?.schema, try schema.standing(connection) == .foreign {
            throw CommandFailure(
                "schema \(schema.name) was not made by 'settle rebuild', or holds more than it wrote; name one that "
                    + "does not exist yet")
        }
        let showsProgress = context.terminal.errorIsTerminal && accounts == nil
        let progress = ProgressLine(
            context.output, title: "rebuilding", total: showsProgress ? try Rebuild.size(connection) : nil)
        progress.update(0)
        let rebuild = try Rebuild(of: accounts, into: schema?.schema, on: connection, progress: progress.update)
        progress.finish()
        try RebuildReport(rebuild, account: account, schema: schema?.schema).print(to: context.output)
        try context.output.flush()
        if !rebuild.isClean { throw CommandFailure("the books differ from what was recomputed", exit: .mismatch) }
    }
}

/// The name of a schema that a command may make.
struct SchemaName: ArgumentValue {
    let schema: ScratchSchema

    init(argument: String) throws {
        guard let schema = ScratchSchema(argument) else {
            throw InvalidValue(
                "a schema is named by small letters, digits and underscores, such as rebuilt; names with pg_ are the "
                    + "server's")
        }
        self.schema = schema
    }

    var argumentText: String { schema.name }
    static var valueName: String { "SCHEMA" }
}
