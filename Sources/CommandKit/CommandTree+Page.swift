extension CommandTree {
    /// Every command with its parameters and examples, as a page of Markdown.
    public var page: String {
        let exitCodes = ExitCode.allCases.map { "| \($0.rawValue) | \($0.meaning) |" }
        var parts = [
            "# The command line",
            "What `\(name) help COMMAND` says of every command, on one page. It is written by `make docs` from the "
                + "program itself.",
            "## Exit codes", (["| code | meaning |", "|---|---|"] + exitCodes).joined(separator: "\n"),
            "## Options of every command", options(of: Declarations(of: Globals(), section: "")),
        ]
        for title in titles(of: root) {
            parts.append("## \(title)")
            for node in root.shownChildren where node.title == title {
                parts += sections(of: node, path: "\(name) \(node.info.name)", depth: 3)
            }
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private func titles(of node: CommandNode<Globals>) -> [String] {
        node.shownChildren.map(\.title).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private func sections(of node: CommandNode<Globals>, path: String, depth: Int) -> [String] {
        let heading = String(repeating: "#", count: depth) + " `\(path)`"
        let below = node.shownChildren.flatMap {
            sections(of: $0, path: "\(path) \($0.info.name)", depth: depth + 1)
        }
        guard case .command(let make) = node.content else {
            return [heading, node.info.summary] + paragraphs(node.info.discussion) + below
        }
        let declarations = Declarations(of: make())
        let generated = HelpText.usage(declarations.slots.map(\.declaration))
        let usage = (node.info.usage.isEmpty ? [generated] : node.info.usage).map { "\(path) \($0)" }
        var parts = [heading, node.info.summary, block(usage, "text")] + paragraphs(node.info.discussion)
        if !declarations.entries.isEmpty { parts.append(options(of: declarations)) }
        let examples = node.info.examples.map { example in
            example.explanation.isEmpty ? example.line : "\(example.line)    # \(example.explanation)"
        }
        if !examples.isEmpty { parts.append(block(examples, "sh")) }
        return parts + below
    }

    private func options(of declarations: Declarations) -> String {
        let rows = declarations.slots.map(\.declaration).map { declaration in
            let label = String(HelpText.label(declaration).drop { $0 == " " })
            return "| `\(cell(label))` | \(cell(HelpText.explanation(declaration))) |"
        }
        return (["| | |", "|---|---|"] + rows).joined(separator: "\n")
    }

    /// Within a table a bar ends the cell, even between backquotes; and angle brackets would be a tag.
    private func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("<", with: "&lt;")
    }

    private func block(_ lines: [String], _ language: String) -> String {
        (["```\(language)"] + lines + ["```"]).joined(separator: "\n")
    }

    /// A discussion breaks its lines where a paragraph ends; what is indented in it is to be kept as it is.
    private func paragraphs(_ discussion: String) -> [String] {
        var parts: [String] = []
        var kept: [String] = []
        for line in discussion.split(separator: "\n").map(String.init) {
            if line.first == " " {
                kept.append(line)
            } else {
                if !kept.isEmpty { parts.append(block(kept, "text")) }
                kept = []
                parts.append(line)
            }
        }
        return parts + (kept.isEmpty ? [] : [block(kept, "text")])
    }
}
