extension CommandTree {
    /// Declarations that contradict themselves, for a test to find: it expects none.
    public var declarationProblems: [String] { problems(of: root, path: name) }

    private func problems(of node: CommandNode<Globals>, path: String) -> [String] {
        var problems = duplicates(node.children.map(\.info.name)).map { "\(path): two commands are called \($0)" }
        for child in node.children { problems += self.problems(of: child, path: "\(path) \(child.info.name)") }
        guard case .command(let make) = node.content else { return problems }

        var declarations = Declarations(of: make())
        declarations += Declarations(of: Globals())
        let all = declarations.slots.map(\.declaration)
        problems += duplicates(all.flatMap(\.names) + ["-h", "--help"]).map { "\(path): two options are called \($0)" }
        for declaration in all where declaration.kind != .argument && declaration.names.isEmpty {
            problems.append("\(path): an option has no name that begins with a dash")
        }
        for declaration in all {
            guard let flag = declaration.waivingFlag, !all.contains(where: { $0.names.contains(flag) }) else {
                continue
            }
            problems.append("\(path): \(declaration.name) waits for \(flag), which is not declared")
        }
        let arguments = all.filter { $0.kind == .argument }
        for (argument, next) in zip(arguments, arguments.dropFirst()) {
            if argument.isRepeating { problems.append("\(path): \(argument.name) leaves nothing for \(next.name)") }
            if !argument.isRequired, next.isRequired {
                problems.append("\(path): \(next.name) is required after \(argument.name), which is not")
            }
        }
        return problems
    }

    private func duplicates(_ names: [String]) -> [String] {
        Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
    }
}
