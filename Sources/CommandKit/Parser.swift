/// Turns the words of a command line into values in slots.
struct Parser {
    /// The command's name as messages say it: `dlq list`.
    let command: String
    let options: OptionTable
    private let arguments: [any Slot]
    private let slots: [any Slot]

    init(command: String, slots: [any Slot]) {
        self.command = command
        self.slots = slots
        options = OptionTable(slots, command: command)
        arguments = slots.filter { $0.declaration.kind == .argument }
    }

    /// The words of the command line.
    func take(_ words: [String]) throws {
        var rest = words[...]
        var arguments = arguments[...]
        var optionsEnded = false
        while let word = rest.popFirst() {
            if word == "--", !optionsEnded {
                optionsEnded = true
            } else if !optionsEnded, looksLikeOption(word) {
                for match in try options.matches(word) { try take(match, following: &rest) }
            } else {
                guard let slot = arguments.first else {
                    throw UsageError("unexpected argument '\(word)' for '\(command)'")
                }
                if !slot.declaration.isRepeating { arguments.removeFirst() }
                try store(word, in: slot, from: .commandLine)
            }
        }
    }

    /// Variables, for what the words left open.
    func take(environment: [String: String]) throws {
        for slot in slots where slot.source == .default {
            // As with NO_COLOR, an empty variable is one that is not set.
            guard let name = slot.declaration.environment, let text = environment[name], !text.isEmpty else { continue }
            try store(text, in: slot, fromAfar: .environment(name))
        }
    }

    /// What stands in for variables that are not set.
    func take(supplied: [String: SuppliedValue]) throws {
        for slot in slots where slot.source == .default {
            guard let name = slot.declaration.environment, let value = supplied[name] else { continue }
            try store(value.text, in: slot, fromAfar: .supplied(value.place))
        }
    }

    func requireAll() throws {
        for slot in slots where slot.source == .default && slot.declaration.isRequired {
            if let flag = slot.declaration.waivingFlag, let waiving = options[flag], waiving.source != .default {
                continue
            }
            throw missing(slot.declaration)
        }
    }

    private func take(_ match: OptionTable.Match, following rest: inout ArraySlice<String>) throws {
        let declaration = match.slot.declaration
        if declaration.kind == .flag {
            guard match.value == nil else { throw UsageError("option '\(match.name)' takes no value") }
            return try store("true", in: match.slot, from: .commandLine)
        }
        guard let value = match.value ?? rest.popValue() else {
            let hint = rest.isEmpty ? "" : " (one that begins with '-' is written \(match.name)=…)"
            throw UsageError("missing value for option '\(match.name) \(declaration.valueName)' of '\(command)'\(hint)")
        }
        guard declaration.isRepeating || match.slot.source == .default else {
            throw UsageError("option '\(declaration.name)' is given twice for '\(command)' and takes only one value")
        }
        try store(value, in: match.slot, from: .commandLine)
    }

    private func store(_ text: String, in slot: any Slot, fromAfar source: ValueSource) throws {
        let values = slot.declaration.isRepeating ? text.split(separator: ",").map(String.init) : [text]
        for value in values { try store(value, in: slot, from: source) }
    }

    private func store(_ text: String, in slot: any Slot, from source: ValueSource) throws {
        let place =
            switch source {
            case .environment(let place), .supplied(let place): " in \(place)"
            case .commandLine, .default: ""
            }
        let problem = "invalid value '\(text)'\(place) for '\(slot.declaration.name)'"
        do {
            try slot.take(text, from: source)
        } catch let invalid as InvalidValue {
            throw UsageError("\(problem): \(invalid.reason)", suggestion: invalid.suggestion)
        } catch {
            throw UsageError("\(problem): \(error)")
        }
    }

    private func missing(_ declaration: Declaration) -> UsageError {
        declaration.kind == .argument
            ? UsageError("missing argument \(declaration.valueName) for '\(command)'")
            : UsageError("missing option '\(declaration.name) \(declaration.valueName)' for '\(command)'")
    }
}

/// The options that are known at some place of the command line.
struct OptionTable {
    struct Match {
        var slot: any Slot
        /// As it was typed.
        var name: String
        /// Given in the same word, as in `--limit=5` or `-ojson`.
        var value: String?
    }

    let command: String
    private let slots: [String: any Slot]

    init(_ slots: [any Slot], command: String) {
        self.command = command
        self.slots = Dictionary(slots.flatMap { slot in slot.declaration.names.map { ($0, slot) } }) { first, _ in first
        }
    }

    subscript(name: String) -> (any Slot)? { slots[name] }

    /// What a word that looks like an option stands for: one option, or several short ones in a row.
    func matches(_ word: String) throws -> [Match] {
        guard word.hasPrefix("--") else { return try shortMatches(word) }
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let slot = slots[parts[0]] else { throw unknown(parts[0]) }
        return [Match(slot: slot, name: parts[0], value: parts.count > 1 ? parts[1] : nil)]
    }

    private func shortMatches(_ word: String) throws -> [Match] {
        var matches: [Match] = []
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            let name = "-\(letter)"
            guard let slot = slots[name] else { throw unknown(matches.isEmpty ? word : name) }
            var match = Match(slot: slot, name: name)
            if letters.first == "=" || slot.declaration.kind == .option, !letters.isEmpty {
                match.value = String(letters.first == "=" ? letters.dropFirst() : letters)
                letters = ""
            }
            matches.append(match)
        }
        return matches
    }

    private func unknown(_ name: String) -> UsageError {
        let place = command.isEmpty ? " before the command" : " for '\(command)'"
        let names = slots.keys.filter { $0.hasPrefix("--") }.sorted() + ["--help"]
        return UsageError("unknown option '\(name)'\(place)", suggestion: nearestName(to: name, among: names))
    }
}

/// Whether a word is an option rather than a value: not `-` (stdin) and not a negative number.
func looksLikeOption(_ word: String) -> Bool {
    guard word.hasPrefix("-"), word.count > 1 else { return false }
    let second = word[word.index(after: word.startIndex)]
    return !second.isASCIIDigit && second != "."
}

extension ArraySlice<String> {
    /// Takes the next word unless it is an option itself.
    mutating func popValue() -> String? {
        guard let next = first, !looksLikeOption(next) else { return nil }
        return popFirst()
    }
}
