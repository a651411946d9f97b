/// The hidden first word with which a shell asks for completions.
let completionRequest = "__complete"

extension CommandTree {
    /// What may stand in place of the last of these words; each line a candidate, a tab, and what it is.
    ///
    /// Nothing is offered where any text may stand: the shell then offers files.
    func completions(of typed: [String]) -> [String] {
        // bash breaks words at '=': '--output', '=', 'js'.
        var words = typed.filter { $0 != "=" }
        let current = typed.last == "=" ? "" : words.popLast() ?? ""
        var node = root
        var skipped: [String] = []
        for word in words {
            if let child = node.child(word) { node = child } else if word != "help" { skipped.append(word) }
        }
        let slots = self.slots(of: node)
        let options = OptionTable(slots, command: "")
        let isOptionsEnded = skipped.contains("--")
        if !isOptionsEnded {
            if let last = words.last, let slot = try? options.matches(last).last, slot.value == nil,
                slot.slot.declaration.kind == .option
            {
                return matching(slot.slot.declaration.allowedValues.map { ($0, "") }, current)
            }
            if let match = try? options.matches(current).last, current.hasPrefix("--"), match.value != nil {
                return matching(match.slot.declaration.allowedValues.map { ("\(match.name)=\($0)", "") }, current)
            }
            if current.hasPrefix("-") { return matching(optionNames(slots, isRoot: node.info.name == name), current) }
        }
        if case .group = node.content {
            let help = node.info.name == name && !words.contains("help") ? [("help", "Show help of a command")] : []
            return matching(node.shownChildren.map { ($0.info.name, $0.info.summary) } + help, current)
        }
        let subcommands = skipped.isEmpty ? node.shownChildren.map { ($0.info.name, $0.info.summary) } : []
        return matching(subcommands + argumentValues(slots, skipped, options), current)
    }

    private func slots(of node: CommandNode<Globals>) -> [any Slot] {
        let global = Declarations(of: Globals()).slots
        guard case .command(let make) = node.content else { return global }
        return Declarations(of: make()).slots + global
    }

    private func optionNames(_ slots: [any Slot], isRoot: Bool) -> [(String, String)] {
        slots.flatMap { slot in slot.declaration.names.map { ($0, slot.declaration.help) } }
            .filter { $0.0.hasPrefix("--") } + [("--help", "Show help.")]
            + (isRoot ? [("--version", "Show the version.")] : [])
    }

    /// The values of the argument that comes next, if it has few.
    private func argumentValues(_ slots: [any Slot], _ words: [String], _ options: OptionTable) -> [(String, String)] {
        var arguments = slots.filter { $0.declaration.kind == .argument }[...]
        var rest = words[...]
        while let word = rest.popFirst() {
            if looksLikeOption(word) {
                let match = try? options.matches(word).last
                if let match, match.slot.declaration.kind == .option, match.value == nil { _ = rest.popValue() }
            } else if arguments.first?.declaration.isRepeating == false {
                arguments.removeFirst()
            }
        }
        return (arguments.first?.declaration.allowedValues ?? []).map { ($0, "") }
    }

    private func matching(_ candidates: [(name: String, about: String)], _ prefix: String) -> [String] {
        candidates.filter { $0.name.hasPrefix(prefix) }.map { $0.about.isEmpty ? $0.name : "\($0.name)\t\($0.about)" }
    }
}

enum Shell: String, ArgumentValue, CaseIterable {
    case bash, zsh, fish

    /// A few lines that ask the program itself, so that they never grow old.
    func script(for program: String) -> String {
        let function = "_" + program.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        switch self {
        case .bash:
            return """
                \(function)() {
                    local IFS=$'\\n'
                    COMPREPLY=($("$1" \(completionRequest) "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
                }
                complete -o default -F \(function) \(program)

                """
        case .zsh:
            return """
                #compdef \(program)
                \(function)() {
                    local -a candidates
                    candidates=("${(@f)$("${words[1]}" \(completionRequest) "${(@)words[2,CURRENT]}" 2>/dev/null \\
                        | sed -e 's/:/\\\\:/g' -e $'s/\\t/:/')}")
                    if [[ -n "${candidates[1]}" ]]; then
                        _describe '\(program)' candidates
                    else
                        _files
                    fi
                }
                if [[ "$funcstack[1]" == \(function) ]]; then
                    \(function)
                else
                    compdef \(function) \(program)
                fi

                """
        case .fish:
            return """
                function __\(program)_complete
                    set -l words (commandline -opc) (commandline -ct)
                    set -l candidates ($words[1] \(completionRequest) $words[2..] 2>/dev/null)
                    if test (count $candidates) -gt 0
                        printf '%s\\n' $candidates
                    else
                        __fish_complete_path (commandline -ct)
                    end
                end
                complete -c \(program) -f -a '(__\(program)_complete)'

                """
        }
    }
}

struct CompletionCommand<Globals: GlobalOptions>: Command {
    static var info: CommandInfo {
        CommandInfo(
            "completion", summary: "Print the script that teaches a shell to complete commands.",
            discussion: """
                bash: put the script where bash-completion looks, or source it in ~/.bashrc.
                zsh: save it in a folder of $fpath under the command's name with an underscore before it.
                fish: save it in ~/.config/fish/completions under the command's name, ending in .fish.
                """)
    }

    /// Shells run it as they start, wherever that is.
    static var takesSuppliedValues: Bool { false }

    @Argument("SHELL", help: "Whose script.") var shell: Shell

    /// The program's name stands in them, which no declaration knows.
    static func examples(for program: String) -> [Example] {
        [
            Example(
                "\(program) completion bash > /etc/bash_completion.d/\(program)",
                "For everybody's bash on this machine."),
            Example(
                "\(program) completion zsh > /usr/local/share/zsh/site-functions/_\(program)", "For everybody's zsh."),
        ]
    }

    func run(_ context: Context<Globals>) async throws {
        let program = context.commandPath.split(separator: " ")[0]
        try context.output.write(shell.script(for: String(program)))
    }
}
