import CommandKit
import Synchronization

/// The command line of an invented warehouse: every kind of declaration occurs in it once.
enum Warehouse {
    typealias Context = CommandKit.Context<Global>

    struct Global: GlobalOptions {
        @Option("--database-url", "URL", help: "The database to work on.", environment: "DATABASE_URL")
        var databaseURL: String?
        @OptionGroup("Output") var output: OutputOptions

        /// What DEPOT_BOOK holds: `DEPOT_LIMIT=9 DEPOT_LABELS=x`.
        func suppliedValues(environment: [String: String]) throws -> [String: SuppliedValue] {
            let book = environment["DEPOT_BOOK", default: ""]
            if book == "torn" { throw CommandFailure("the book is torn.", exit: .usage) }
            let pairs = book.split(separator: " ").map { $0.split(separator: "=").map(String.init) }
            return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], SuppliedValue($0[1], place: "book:1")) })
        }
    }

    enum Kind: String, ArgumentValue, CaseIterable { case damaged, missing, late }

    struct Filter: ParameterGroup {
        @Option("--kind", "KIND", help: "Only parcels of this kind.") var kind: Kind?
        @Option("--since", "TIME", help: "Only parcels from then on.") var since: String?

        func validate() throws {
            if since == "tomorrow" { throw UsageError("'--since' lies ahead") }
        }
    }

    struct Store: Command {
        static let info = CommandInfo(
            "store", summary: "Take a parcel into the house.",
            discussion: "The same KEY stores only once, however often the command is repeated.\n  KEY  stays whole",
            examples: [
                Example("depot store 17 2.5 --id k-1", "Store 2.5 kilograms on shelf 17."),
                Example("depot store --id k-2 -- -x", "Store on the shelf called -x."),
            ])

        @Argument("SHELF", help: "Where it goes.") var shelf: String
        @Argument("WEIGHT", help: "What it weighs.") var weight: String?
        @Option("--id", "KEY", help: "What makes it the same parcel.") var key: String
        @Option("--limit", "-n", "N", help: "How many at most.", environment: "DEPOT_LIMIT", default: 50)
        var limit: Int
        @Option("--label", "TEXT", help: "What is written on it.", environment: "DEPOT_LABELS") var labels: [String]
        @Option(
            "--wait-for-somebody-to-sign-it", help: "How long to wait until somebody has signed for it at the door.",
            default: .seconds(30)) var wait: Duration
        @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

        func run(_ context: Context) async throws {
            try context.output.show([
                "shelf": .string(shelf), "weight": .string(weight), "key": .string(key), "limit": .integer(limit),
                "labels": .array(labels.map { .string($0) }), "wait": .string(wait.argumentText), "yes": .bool(yes),
                "database": .string(context.globals.databaseURL), "limit_from": "\($limit)",
            ]) {
                try context.output.line("shelf \(shelf)")
            }
        }
    }

    struct List: Command {
        static let info = CommandInfo("list", summary: "List parcels.")

        @OptionGroup("Filters") var filter: Filter
        @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Count

        func run(_ context: Context) async throws {
            let names = filter.kind.map { [$0.rawValue] } ?? ["evil\u{1B}[2J", "good"]
            try context.output.list(names.map { ["name": .string($0)] }, empty: "No parcels.") {
                var table = Table("NAME", Table.Column("N", .right))
                for name in names { table.add(Table.Cell(name), "\(limit.value)") }
                return table
            }
            context.output.more(after: "p-2")
        }
    }

    struct Discard: Command {
        static let info = CommandInfo("discard", summary: "Throw parcels away.")

        @Argument("ID", help: "Which ones.") var ids: [Int]
        @Flag("--yes", help: "Do not ask.") var yes: Bool

        func validate() throws {
            if ids.isEmpty { throw UsageError("name a parcel") }
        }

        func run(_ context: Context) async throws {
            try context.confirm("Discard \(ids.count) parcels?", yes: yes)
            try context.output.line("discarded \(ids.map(String.init).joined(separator: " "))")
        }
    }

    struct Mark: Command {
        static let info = CommandInfo("mark", summary: "Mark all parcels.")

        @Option("--reason", "TEXT", help: "Why.", requiredUnless: "--dry-run") var reason: String?
        @Flag("--dry-run", help: "Change nothing.") var dryRun: Bool

        func run(_ context: Context) async throws { try context.output.line(reason ?? "nobody asks why") }
    }

    struct Fail: Command {
        static let info = CommandInfo("fail", summary: "Fail in some way.")

        @Argument(help: "In which way.") var way: Way

        enum Way: String, ArgumentValue, CaseIterable { case plainly, foreign, cancellation }
        struct Foreign: Error {}

        func run(_ context: Context) async throws {
            switch way {
            case .plainly: throw CommandFailure("no parcel\n7.", exit: .notFound, detail: "looked twice")
            case .foreign: throw Foreign()
            case .cancellation: throw CancellationError()
            }
        }
    }

    struct CountEverything: Command {
        static let info = CommandInfo("count-everything", summary: "Count everything.", isHidden: true)

        func run(_ context: Context) async throws { try context.output.line("everything") }
    }

    static let tree = CommandTree<Global>("depot", version: "1.2 (abc)", summary: "Keeps parcels.") {
        Store.self
        Group("parcel", summary: "Look after parcels.") {
            List.self
            Discard.self
            Mark.self
        }
        Section("Trouble") {
            Fail.self
        }
        CountEverything.self
    }
}

/// What a command line wrote and returned.
struct Run {
    var code: ExitCode
    var out: String
    var err: String
}

/// Runs the warehouse's command line as a shell would.
func depot(
    _ words: String..., environment: [String: String] = [:], answer: String? = nil, width: Int? = nil
) async -> Run {
    await depot(words, environment: environment, answer: answer, width: width)
}

func depot(
    _ words: [String], environment: [String: String] = [:], answer: String? = nil, width: Int? = nil
) async -> Run {
    let written = Written()
    var terminal = Terminal(environment: environment) { stream, text in written.add(text, to: stream) }
    terminal.inputIsTerminal = answer != nil
    terminal.errorIsTerminal = answer != nil
    terminal.outputIsTerminal = width != nil
    terminal.readLine = { answer }
    terminal.columns = { width ?? 80 }
    let code = await Warehouse.tree.main(words, terminal: terminal) { error in
        error is Warehouse.Fail.Foreign ? CommandFailure("the carrier is away.", exit: .unavailable) : nil
    }
    return Run(code: code, out: written.text(.output), err: written.text(.error))
}

/// Collects what goes to the two streams.
final class Written: Sendable {
    private let texts = Mutex<[Terminal.Stream: String]>([:])

    func add(_ text: String, to stream: Terminal.Stream) { texts.withLock { $0[stream, default: ""] += text } }
    func text(_ stream: Terminal.Stream) -> String { texts.withLock { $0[stream, default: ""] } }
}
