/// One leaf of the command tree, declared once: parsing, checks, help and completion follow from its properties.
///
/// Parameters are properties marked `@Argument`, `@Option`, `@Flag` or `@OptionGroup`; they hold their values from
/// `validate()` on.
public protocol Command<Globals>: Sendable {
    associatedtype Globals: GlobalOptions

    static var info: CommandInfo { get }
    /// Whether values that the global options supply stand in for variables; a command that examines where such
    /// values come from does without.
    static var takesSuppliedValues: Bool { get }
    init()
    /// Checks what one parameter alone cannot; throws `UsageError`.
    func validate() throws
    func run(_ context: Context<Globals>) async throws
}

extension Command {
    public static var takesSuppliedValues: Bool { true }
    public func validate() throws {}
}

/// What help says of a command.
public struct CommandInfo: Sendable {
    public var name: String
    public var summary: String
    public var discussion: String
    /// Lines of usage, without the command's name, where the generated one would say too little.
    public var usage: [String]
    public var examples: [Example]
    /// Whether help and completion say nothing of it: a command for those who work on the program.
    public var isHidden: Bool

    public init(
        _ name: String, summary: String, discussion: String = "", usage: [String] = [], examples: [Example] = [],
        isHidden: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.usage = usage
        self.examples = examples
        self.isHidden = isHidden
    }
}

/// A command line that can be typed as it stands, and what it does.
public struct Example: Sendable {
    public var line: String
    public var explanation: String

    public init(_ line: String, _ explanation: String) {
        self.line = line
        self.explanation = explanation
    }
}

/// Parameters that several commands share.
public protocol ParameterGroup: Sendable {
    init()
    /// Checks what one parameter alone cannot; throws `UsageError`.
    func validate() throws
}

extension ParameterGroup {
    public func validate() throws {}
}

/// The options that every command of a tree takes, before its name or after.
public protocol GlobalOptions: ParameterGroup {
    var output: OutputOptions { get }
    /// Values for variables that the environment does not set, by the variable's name: a layer between environment and
    /// defaults. Asked once the global options have been parsed.
    func suppliedValues(environment: [String: String]) throws -> [String: SuppliedValue]
}

extension GlobalOptions {
    public func suppliedValues(environment: [String: String]) throws -> [String: SuppliedValue] { [:] }
}

/// What a running command is given besides its own parameters.
public struct Context<Globals: GlobalOptions>: Sendable {
    public let globals: Globals
    public let output: Output
    public let terminal: Terminal
    /// The command as typed: `settle dlq retry`.
    public let commandPath: String

    /// What stands in for variables that the environment does not set.
    public let supplied: [String: SuppliedValue]

    /// The environment over what was supplied. An empty variable counts as not set.
    public var environment: [String: String] {
        terminal.environment.merging(supplied.mapValues(\.text)) { own, supplied in own.isEmpty ? supplied : own }
    }

    /// Asks before something that cannot be taken back. Returns if `--yes` was given or the answer is yes.
    public func confirm(_ question: String, yes: Bool, flag: String = "--yes") throws {
        if yes { return }
        guard terminal.inputIsTerminal, terminal.errorIsTerminal else {
            throw CommandFailure(
                "cannot ask '\(question.printable)' without a terminal; give \(flag) to go on", exit: .usage)
        }
        try output.flush()
        terminal.writeError("\(question.printable) [y/N] ")
        let answer = terminal.readLine()?.lowercased() ?? ""
        guard ["y", "yes"].contains(answer) else {
            throw CommandFailure("cancelled; nothing was changed.", exit: .cancelled)
        }
    }
}
