import ServiceKit
import SettleTesting
import Testing

@testable import CommandKit
@testable import settle

/// A command of the tree with all that is declared of it, for tests that hold every command to the same promises.
struct CommandLeaf: Sendable, CustomTestStringConvertible {
    /// Without the program's name: `dlq`, `list`.
    let path: [String]
    let info: CommandInfo
    let declarations: [Declaration]

    var name: String { path.joined(separator: " ") }
    var testDescription: String { name }

    static let all = leaves(of: Settle.tree.root, path: [])

    private static func leaves(of node: CommandNode<Global>, path: [String]) -> [CommandLeaf] {
        let below = node.children.flatMap { leaves(of: $0, path: path + [$0.info.name]) }
        guard case .command(let make) = node.content else { return below }
        return below + [
            CommandLeaf(
                path: path, info: node.info,
                declarations: (Declarations(of: make()).slots + Declarations(of: Global()).slots).map(\.declaration))
        ]
    }

    /// Whether it only reads the database and answers at once, by its name.
    var isQuickReader: Bool {
        !["order", "engine"].contains(path[0])
            && ["list", "show", "status", "balance", "statement", "explain", "stats"].contains(path.last ?? "")
    }
}

/// An example of a command as it would be typed.
struct CommandExample: Sendable, CustomTestStringConvertible {
    let leaf: CommandLeaf
    let line: String
    /// The words behind the program's name.
    let words: [String]

    var testDescription: String { line }

    static let all = CommandLeaf.all.flatMap { leaf in
        leaf.info.examples.map { CommandExample(leaf, $0.line) }
    }

    init(_ leaf: CommandLeaf, _ line: String) {
        self.leaf = leaf
        self.line = line
        words = Self.words(line)
    }

    /// The arguments of the program in a line of shell: what follows `settle`, up to a pipe or a redirection.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in line + " " {
            if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character != " " {
                word = (word ?? "") + String(character)
            } else if let ended = word {
                words.append(ended)
                word = nil
            }
        }
        let own = words.drop { $0 != "settle" }.dropFirst()
        return Array(own.prefix { !["|", ">", ">>", "<", "&&"].contains($0) })
    }
}

/// What a command line writes when it runs within this process, without a database.
func typingInside(_ words: [String]) async -> (exitCode: ExitCode, output: String, errors: String) {
    let written = Written()
    let terminal = Terminal(environment: ["DATABASE_URL": "postgres://settle@127.0.0.1:1/settle"]) { stream, text in
        written.append(stream, text)
    }
    let code = await Settle.tree.main(words, terminal: terminal, explain: Settle.explain)
    return (code, written.output, written.errors)
}

private final class Written: Sendable {
    private let lock = Guarded((output: "", errors: ""))

    func append(_ stream: Terminal.Stream, _ text: String) {
        lock.withLock { texts in
            switch stream {
            case .output: texts.output += text
            case .error: texts.errors += text
            }
        }
    }

    var output: String { lock.withLock(\.output) }
    var errors: String { lock.withLock(\.errors) }
}
