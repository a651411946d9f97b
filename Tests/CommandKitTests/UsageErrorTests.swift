import CommandKit
import Testing

@Suite("Usage errors")
struct UsageErrorTests {
    /// Each is one line that names the place, ends with where to read on, and exits 64.
    @Test(
        "each mistake has a sentence of its own",
        arguments: [
            (
                ["parcel", "list", "--limt", "5"],
                "unknown option '--limt' for 'parcel list'. Did you mean '--limit'? Try 'depot parcel list --help'."
            ),
            (["parcel", "list", "-x"], "unknown option '-x' for 'parcel list'. Try 'depot parcel list --help'."),
            (
                ["parcel", "list", "-limit", "5"],
                "unknown option '-limit' for 'parcel list'. Did you mean '--limit'? Try 'depot parcel list --help'."
            ),
            (["--limit", "5", "store"], "unknown option '--limit' before the command. Try 'depot --help'."),
            (
                ["--jsn", "store"],
                "unknown option '--jsn' before the command. Did you mean '--json'? Try 'depot --help'."
            ),
            (["stroe"], "unknown command 'stroe'. Did you mean 'store'? Try 'depot --help'."),
            (["discard"], "unknown command 'discard'. Did you mean 'parcel discard'? Try 'depot --help'."),
            (["version"], "unknown command 'version'. Did you mean '--version'? Try 'depot --help'."),
            (["parcel", "version"], "unknown command 'version' for 'parcel'. Try 'depot parcel --help'."),
            (["xyzzy"], "unknown command 'xyzzy'. Try 'depot --help'."),
            (["parcel", "lst"], "unknown command 'lst' for 'parcel'. Did you mean 'list'? Try 'depot parcel --help'."),
            (
                ["help", "parcel", "disc"],
                "unknown command 'disc' for 'parcel'. Did you mean 'discard'? Try 'depot parcel --help'."
            ),
            (["parcel"], "'depot parcel' needs a command: list, discard or mark. Try 'depot parcel --help'."),
            (["store", "a", "--id"], "missing value for option '--id KEY' of 'store'. Try 'depot store --help'."),
            (
                ["store", "a", "--id", "--yes"],
                "missing value for option '--id KEY' of 'store' (one that begins with '-' is written --id=…). Try 'depot store --help'."
            ),
            (
                ["store", "a", "--id", "k", "-n", "1", "--limit", "2"],
                "option '--limit' is given twice for 'store' and takes only one value. Try 'depot store --help'."
            ),
            (["store", "a", "b", "c", "--id", "k"], "unexpected argument 'c' for 'store'. Try 'depot store --help'."),
            (["store", "--id", "k"], "missing argument SHELF for 'store'. Try 'depot store --help'."),
            (["store", "a"], "missing option '--id KEY' for 'store'. Try 'depot store --help'."),
            (["store", "a", "--id", "k", "--yes=1"], "option '--yes' takes no value. Try 'depot store --help'."),
            (
                ["store", "a", "--id", "k", "--limit", "1o"],
                "invalid value '1o' for '--limit': expected a whole number. Try 'depot store --help'."
            ),
            (
                ["parcel", "list", "--kind", "mising"],
                "invalid value 'mising' for '--kind': expected damaged, missing or late. Did you mean 'missing'? Try 'depot parcel list --help'."
            ),
            (
                ["fail", "qqq"],
                "invalid value 'qqq' for 'plainly|foreign|cancellation': expected plainly, foreign or cancellation. Try 'depot fail --help'."
            ),
            (["parcel", "mark"], "missing option '--reason TEXT' for 'parcel mark'. Try 'depot parcel mark --help'."),
            (["parcel", "discard"], "name a parcel. Try 'depot parcel discard --help'."),
            (["parcel", "list", "--since", "tomorrow"], "'--since' lies ahead. Try 'depot parcel list --help'."),
            (
                ["parcel", "list", "--json", "-o", "jsonl"],
                "'--json' contradicts '-o jsonl'. Try 'depot parcel list --help'."
            ),
            (
                ["store", "a", "b", "c\u{1B}]0;x\u{07}"],
                "unexpected argument 'c\\u{1B}]0;x\\u{7}' for 'store'. Try 'depot store --help'."
            ),
        ])
    func sentences(words: [String], sentence: String) async {
        let run = await depot(words)
        #expect(run.err == "depot: \(sentence)\n")
        #expect(run.code == .usage)
        #expect(run.out == "")
    }

    @Test("a bad value in the environment names the variable")
    func environment() async {
        let run = await depot("store", "a", "--id", "k", environment: ["DEPOT_LIMIT": "many"])
        #expect(
            run.err == "depot: invalid value 'many' in DEPOT_LIMIT for '--limit': expected a whole number. "
                + "Try 'depot store --help'.\n")
        #expect(run.code == .usage)
    }

    @Test("declarations that contradict themselves are found")
    func contradictions() {
        struct Odd: Command {
            static let info = CommandInfo("odd", summary: "")
            @Argument("FILE", help: "") var files: [String]
            @Argument("NAME", help: "") var name: String
            @Option("--json", help: "") var json: String?
            @Option("KEY", help: "") var key: String?
            @Option("--why", "TEXT", help: "", requiredUnless: "--never") var why: String?
            func run(_ context: Warehouse.Context) async throws {}
        }
        let tree = CommandTree<Warehouse.Global>("x", version: "", summary: "") {
            Odd.self
            Group("odd", summary: "") {}
        }
        #expect(
            tree.declarationProblems == [
                "x: two commands are called odd", "x odd: two options are called --json",
                "x odd: an option has no name that begins with a dash",
                "x odd: --why waits for --never, which is not declared", "x odd: FILE leaves nothing for NAME",
                "x odd: NAME is required after FILE, which is not",
            ])
    }
}
