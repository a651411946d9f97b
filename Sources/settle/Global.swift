import CommandKit

/// The options that every command takes.
struct Global: GlobalOptions {
    @Option(
        "--database-url", "URL",
        help: "The PostgreSQL to work on; without it, libpq's PG* variables, and without those a private one in "
            + ".settle/.",
        environment: "DATABASE_URL")
    var databaseURL: String?
    @Option(
        "--config", "FILE",
        help: "The configuration file; without it, settle.yaml in the current folder if there is one.",
        environment: "SETTLE_CONFIG")
    var config: String?
    @OptionGroup("Output") var output: OutputOptions
}

typealias Context = CommandKit.Context<Global>
