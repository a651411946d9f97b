/// All commands of a program, and the way from the words of a command line to the one that runs.
public struct CommandTree<Globals: GlobalOptions>: Sendable {
    public let name: String
    public let version: String
    let root: CommandNode<Globals>

    public init(
        _ name: String, version: String, summary: String, discussion: String = "",
        @CommandBuilder<Globals> commands: () -> [CommandNode<Globals>]
    ) {
        self.name = name
        self.version = version
        let info = CommandInfo(name, summary: summary, discussion: discussion)
        var others = Section<Globals>("Other commands") { CompletionCommand<Globals>.self }.nodes
        others[0].info.examples = CompletionCommand<Globals>.examples(for: name)
        root = CommandNode(info: info, content: .group(commands() + others))
    }

    /// Runs the command that the arguments name and returns the process's exit code.
    ///
    /// Every error ends here, as one line on stderr. `explain` turns errors of other modules into such lines.
    public func main(
        _ arguments: [String] = Array(CommandLine.arguments.dropFirst()), terminal: Terminal = .ofProcess(),
        explain: (any Error) -> CommandFailure? = { _ in nil }
    ) async -> ExitCode {
        var path = name
        var output = Output(terminal)
        do {
            if arguments.first == completionRequest {
                for line in completions(of: Array(arguments.dropFirst())) { try output.write(line + "\n") }
            } else {
                switch try resolve(arguments, path: &path) {
                case .version: try output.line("\(name) \(version)")
                case .help(let node, let path): try output.write(help(node, path, terminal).text)
                case .run(let make, let words):
                    let (command, globals, supplied) = try parse(make(), words, path, terminal.environment)
                    output = Output(terminal, globals.output)
                    try await command.run(
                        Context(
                            globals: globals, output: output, terminal: terminal, commandPath: path, supplied: supplied)
                    )
                    if Declarations(of: command).isGiven("--dry-run") { output.note("dry run: nothing was changed") }
                }
            }
            output.clearProgress()
            try output.flush()
            return .ok
        } catch is BrokenPipe {
            return .ok
        } catch {
            let failure = failure(from: error, path, explain)
            output.note("\(name): \(failure.message)")
            if output.verbose, let detail = failure.detail { output.note(detail) }
            return failure.exit
        }
    }

    private func failure(
        from error: any Error, _ path: String, _ explain: (any Error) -> CommandFailure?
    ) -> CommandFailure {
        switch error {
        case let usage as UsageError: CommandFailure(usage.line(helpedBy: path), exit: .usage)
        case let failure as CommandFailure: failure
        case let problem as FileProblem: problem.failure
        case is CancellationError: explain(error) ?? CommandFailure("stopped before it was done.", exit: .forced)
        default: explain(error) ?? CommandFailure("\(error)")
        }
    }

    // MARK: - From words to a command

    enum Resolution {
        case run(make: () -> any Command<Globals>, words: [String])
        case help(CommandNode<Globals>, path: String)
        case version
    }

    /// Walks down the tree; `path` follows, so that errors name the place. Options met on the way are the global ones.
    func resolve(_ arguments: [String], path: inout String) throws -> Resolution {
        if arguments.isEmpty { return .help(root, path: path) }
        let globals = Declarations(of: Globals()).slots
        var node = root
        var rest = arguments[...]
        var leading: [String] = []
        while case .group = node.content {
            guard let word = rest.popFirst() else {
                throw UsageError("'\(path)' needs a command: \(spokenList(node.shownChildren.map(\.info.name)))")
            }
            let place = relative(path)
            if word == "-h" || word == "--help" {
                return .help(node, path: path)
            } else if word == "--version", place.isEmpty {
                return .version
            } else if looksLikeOption(word) {
                leading.append(word)
                let last = try OptionTable(globals, command: place).matches(word).last
                if let last, last.slot.declaration.kind == .option, last.value == nil, let value = rest.popValue() {
                    leading.append(value)
                }
            } else if word == "help" {
                return try helpAsked(for: rest, from: node, path: &path)
            } else {
                node = try descend(from: node, to: word, path: &path)
            }
        }
        while let word = rest.first, node.child(word) != nil {
            node = try descend(from: node, to: rest.removeFirst(), path: &path)
        }
        if rest.prefix(while: { $0 != "--" }).contains(where: { $0 == "-h" || $0 == "--help" }) {
            return .help(node, path: path)
        }
        guard case .command(let make) = node.content else { preconditionFailure("a node is a group or a command") }
        return .run(make: make, words: leading + rest)
    }

    private func helpAsked(
        for words: ArraySlice<String>, from start: CommandNode<Globals>, path: inout String
    ) throws -> Resolution {
        var node = start
        for word in words where word != "help" && !looksLikeOption(word) {
            node = try descend(from: node, to: word, path: &path)
        }
        return .help(node, path: path)
    }

    private func descend(
        from node: CommandNode<Globals>, to word: String, path: inout String
    ) throws -> CommandNode<Globals> {
        guard let child = node.child(word) else {
            let place = node.info.name == root.info.name ? "" : " for '\(relative(path))'"
            let names = node.shownChildren.map(\.info.name) + ["help"] + (path == name ? ["--version"] : [])
            let suggestion = nearestName(to: word, among: names) ?? root.path(to: word)
            throw UsageError("unknown command '\(word)'\(place)", suggestion: suggestion)
        }
        path += " " + word
        return child
    }

    /// The path without the program's name: `dlq list`.
    private func relative(_ path: String) -> String { String(path.dropFirst(name.count + 1)) }

    func parse<C: Command<Globals>>(
        _ command: C, _ words: [String], _ path: String, _ environment: [String: String]
    ) throws -> (any Command<Globals>, Globals, [String: SuppliedValue]) {
        let globals = Globals()
        var declarations = Declarations(of: command)
        declarations += Declarations(of: globals)
        let parser = Parser(command: relative(path), slots: declarations.slots)
        try parser.take(words)
        try parser.take(environment: environment)
        // The words and the environment come first: they say where to look.
        let supplied = C.takesSuppliedValues ? try globals.suppliedValues(environment: environment) : [:]
        try parser.take(supplied: supplied)
        try parser.requireAll()
        for validate in declarations.validations { try validate() }
        try globals.validate()
        try command.validate()
        return (command, globals, supplied)
    }

    private func help(_ node: CommandNode<Globals>, _ path: String, _ terminal: Terminal) -> HelpText {
        // A line of text wider than a hundred columns is hard to read, however wide the window.
        let columns = terminal.outputIsTerminal ? max(40, min(100, terminal.columns())) : 80
        return HelpText(node, path: path, isRoot: path == name, columns: columns)
    }
}
