/// A place in the command tree: a command, or a group of them.
public struct CommandNode<Globals: GlobalOptions>: Sendable {
    enum Content: Sendable {
        case command(@Sendable () -> any Command<Globals>)
        case group([CommandNode])
    }

    var info: CommandInfo
    let content: Content
    /// The heading under which help lists it.
    var section: String?
    /// Commands under the name of one that runs by itself too.
    var subcommands: [CommandNode] = []

    var children: [CommandNode] { if case .group(let children) = content { children } else { subcommands } }

    /// What help, completion and advice speak of.
    var shownChildren: [CommandNode] { children.filter { !$0.info.isHidden } }

    /// Where below it a name occurs: `dlq retry`.
    func path(to name: String) -> String? {
        if shownChildren.contains(where: { $0.info.name == name }) { return name }
        return shownChildren.lazy.compactMap { child in child.path(to: name).map { "\(child.info.name) \($0)" } }.first
    }

    func child(_ name: String) -> CommandNode? { children.first { $0.info.name == name } }
}

/// Commands under a common name: `Group("dlq", summary: "…") { ListLetters.self; RetryLetters.self }`.
public struct Group<Globals: GlobalOptions>: Sendable {
    let node: CommandNode<Globals>

    public init(
        _ name: String, summary: String, discussion: String = "",
        @CommandBuilder<Globals> commands: () -> [CommandNode<Globals>]
    ) {
        let info = CommandInfo(name, summary: summary, discussion: discussion)
        node = CommandNode(info: info, content: .group(commands()))
    }
}

/// A command that runs by itself, with others under its name: `Extended(RunBench.self) { BenchEngine.self }`.
public struct Extended<Globals: GlobalOptions>: Sendable {
    let node: CommandNode<Globals>

    public init<C: Command>(_ type: C.Type, @CommandBuilder<Globals> commands: () -> [CommandNode<Globals>])
    where C.Globals == Globals {
        node = CommandNode(info: C.info, content: .command { C() }, subcommands: commands())
    }
}

/// Commands that help lists under a common heading.
public struct Section<Globals: GlobalOptions>: Sendable {
    let nodes: [CommandNode<Globals>]

    public init(_ title: String, @CommandBuilder<Globals> commands: () -> [CommandNode<Globals>]) {
        nodes = commands().map { node in
            var node = node
            node.section = title
            return node
        }
    }
}

@resultBuilder
public enum CommandBuilder<Globals: GlobalOptions> {
    public static func buildExpression<C: Command>(_ type: C.Type) -> [CommandNode<Globals>]
    where C.Globals == Globals {
        [CommandNode(info: C.info, content: .command { C() })]
    }

    public static func buildExpression(_ group: Group<Globals>) -> [CommandNode<Globals>] { [group.node] }
    public static func buildExpression(_ extended: Extended<Globals>) -> [CommandNode<Globals>] { [extended.node] }
    public static func buildExpression(_ section: Section<Globals>) -> [CommandNode<Globals>] { section.nodes }
    public static func buildBlock(_ nodes: [CommandNode<Globals>]...) -> [CommandNode<Globals>] { nodes.flatMap { $0 } }
}
