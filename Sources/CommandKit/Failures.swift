/// How a process ends: the codes scripts may rely on.
public enum ExitCode: Int32, Sendable, CaseIterable {
    case ok = 0
    case refused = 1
    case cancelled = 2
    case mismatch = 3
    case notFound = 5
    case usage = 64
    case unavailable = 69
    case forced = 130

    /// What it says to a script.
    public var meaning: String {
        switch self {
        case .ok: "done; a service was asked to stop, and stopped in order"
        case .refused: "refused or failed, such as for too little money or an id that was used for something else"
        case .cancelled: "cancelled at a prompt; nothing was changed"
        case .mismatch: "a check found something wrong"
        case .notFound: "there is no such thing: trade, account, asset, market, letter"
        case .usage: "the command line itself is wrong, or something is missing in it, such as --yes"
        case .unavailable: "the database cannot be reached"
        case .forced: "stopped before it was done, by a signal"
        }
    }
}

/// Ends a command with one line on stderr and an exit code.
public struct CommandFailure: Error, Equatable {
    /// What is wrong and what to do, in one line.
    public var message: String
    public var exit: ExitCode
    /// What only `--verbose` shows, such as the server's own words.
    public var detail: String?

    public init(_ message: String, exit: ExitCode = .refused, detail: String? = nil) {
        self.message = message
        self.exit = exit
        self.detail = detail
    }
}

/// Says that the command line itself is wrong; ends with exit code 64 and points to the command's help.
public struct UsageError: Error, Equatable {
    /// What is wrong, without the full stop.
    public var problem: String
    public var suggestion: String?

    public init(_ problem: String, suggestion: String? = nil) {
        self.problem = problem
        self.suggestion = suggestion
    }

    func line(helpedBy path: String) -> String {
        let meant = suggestion.map { " Did you mean '\($0)'?" } ?? ""
        return "\(problem).\(meant) Try '\(path) --help'."
    }
}

/// Says why a text is not a value of its type: `InvalidValue("expected a whole number")`.
public struct InvalidValue: Error, Equatable {
    public var reason: String
    public var suggestion: String?

    public init(_ reason: String, suggestion: String? = nil) {
        self.reason = reason
        self.suggestion = suggestion
    }
}

/// The reader of stdout has gone, as in `settle … | head`: nobody is left to be told.
public struct BrokenPipe: Error {}
