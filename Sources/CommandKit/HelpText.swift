/// The help of one command or group, written from its declaration.
struct HelpText {
    private(set) var text = ""
    private let columns: Int
    private static let labelColumnsMax = 30

    init<Globals>(_ node: CommandNode<Globals>, path: String, isRoot: Bool, columns: Int) {
        self.columns = columns
        paragraph(node.info.summary)
        let global = Declarations(of: Globals(), section: "Global options").entries
        switch node.content {
        case .command(let make):
            let own = Declarations(of: make()).entries
            usage(path, node.info.usage.isEmpty ? [Self.usage(own.map(\.slot.declaration))] : node.info.usage)
            if !node.info.discussion.isEmpty { paragraph(node.info.discussion) }
            if !node.shownChildren.isEmpty { commands(node.shownChildren) }
            parameters(own + global)
            examples(node.info.examples)
        case .group:
            usage(path, ["COMMAND [options]"])
            if !node.info.discussion.isEmpty { paragraph(node.info.discussion) }
            commands(node.shownChildren)
            if isRoot {
                parameters(global, extra: [(label: "    --version", text: "Show the version.")])
                paragraph("'\(path) help COMMAND' tells more of a command.")
            } else {
                paragraph("'\(path) COMMAND --help' tells more of a command.")
            }
        }
    }

    private mutating func paragraph(_ words: String) {
        if !text.isEmpty { text += "\n" }
        for line in words.wrapped(toColumns: columns) { text += line + "\n" }
    }

    private mutating func usage(_ path: String, _ forms: [String]) {
        text += "\n"
        for (index, form) in forms.enumerated() {
            let label = index == 0 ? "Usage: " : "       "
            let words = form.isEmpty ? path : "\(path) \(form)"
            for (number, line) in words.wrapped(toColumns: columns - 11).enumerated() {
                text += (number == 0 ? label : "           ") + line + "\n"
            }
        }
    }

    /// `ID... --reason R [options]`.
    static func usage(_ declarations: [Declaration]) -> String {
        let arguments = declarations.filter { $0.kind == .argument }.map { declaration in
            let name = declaration.valueName + (declaration.isRepeating ? "..." : "")
            return declaration.isRequired ? name : "[\(name)]"
        }
        let required = declarations.filter { $0.kind == .option && $0.isRequired }.map { "\($0.name) \($0.valueName)" }
        return (arguments + required + ["[options]"]).joined(separator: " ")
    }

    private mutating func commands<Globals>(_ nodes: [CommandNode<Globals>]) {
        var titles: [String] = []
        for title in nodes.map(\.title) where !titles.contains(title) { titles.append(title) }
        for title in titles {
            table(title, nodes.filter { $0.title == title }.map { (label: $0.info.name, text: $0.info.summary) })
        }
    }

    private mutating func parameters(
        _ entries: [(section: String?, slot: any Slot)], extra: [(label: String, text: String)] = []
    ) {
        typealias Row = (title: String, label: String, text: String)
        var rows = entries.map { entry -> Row in
            let declaration = entry.slot.declaration
            let title = declaration.kind == .argument ? "Arguments" : entry.section ?? "Options"
            return (title, Self.label(declaration), Self.explanation(declaration))
        }
        rows += (extra + [(label: "-h, --help", text: "Show help.")]).map { ("Global options", $0.label, $0.text) }
        var titles: [String] = []
        for row in rows where !titles.contains(row.title) { titles.append(row.title) }
        for title in titles {
            table(title, rows.filter { $0.title == title }.map { (label: $0.label, text: $0.text) })
        }
    }

    static func label(_ declaration: Declaration) -> String {
        if declaration.kind == .argument { return declaration.valueName + (declaration.isRepeating ? "..." : "") }
        // Short names first, and room for one where there is none, so that the long ones stand in a line.
        let names = declaration.names.filter { !$0.hasPrefix("--") } + declaration.names.filter { $0.hasPrefix("--") }
        let indent = names[0].hasPrefix("--") ? "    " : ""
        let value = declaration.kind == .option ? " " + declaration.valueName : ""
        return indent + names.joined(separator: ", ") + value
    }

    static func explanation(_ declaration: Declaration) -> String {
        var facts: [String] = []
        let values = declaration.allowedValues
        if !values.isEmpty, declaration.valueName != values.joined(separator: "|") {
            facts.append("one of: " + values.joined(separator: ", "))
        }
        if declaration.isRepeating, declaration.kind == .option { facts.append("may be repeated") }
        if declaration.isRequired, declaration.kind == .option {
            facts.append("required" + (declaration.waivingFlag.map { " unless \($0) is given" } ?? ""))
        }
        if let text = declaration.defaultText { facts.append("default: \(text)") }
        if let name = declaration.environment { facts.append("environment: \(name)") }
        return facts.isEmpty ? declaration.help : "\(declaration.help) (\(facts.joined(separator: "; ")))"
    }

    private mutating func table(_ title: String, _ rows: [(label: String, text: String)]) {
        text += "\n\(title):\n"
        let labels = rows.map(\.label.columns).filter { $0 <= Self.labelColumnsMax }
        let indent = (labels.max() ?? Self.labelColumnsMax) + 4
        for row in rows {
            var lines = row.text.wrapped(toColumns: columns - indent)[...]
            let label = "  " + row.label
            let fits = row.label.columns <= indent - 4
            text += fits ? label.padded(toColumns: indent) + (lines.popFirst() ?? "") + "\n" : label + "\n"
            for line in lines { text += String(repeating: " ", count: indent) + line + "\n" }
        }
    }

    private mutating func examples(_ examples: [Example]) {
        if examples.isEmpty { return }
        text += "\nExamples:\n"
        for (index, example) in examples.enumerated() {
            if index > 0 { text += "\n" }
            if !example.explanation.isEmpty {
                for line in example.explanation.wrapped(toColumns: columns - 2) { text += "  \(line)\n" }
            }
            // Not wrapped: it is there to be copied.
            text += "    \(example.line)\n"
        }
    }
}

extension CommandNode {
    var title: String { section ?? "Commands" }
}
