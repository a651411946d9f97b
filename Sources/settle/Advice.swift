import CommandKit

/// What somebody can do next: commands that can be typed in their order, and what to know before and besides.
struct Advice {
    /// Sentences that come before any command.
    var remarks: [String] = []
    /// Commands, each to be carried out after the one before.
    var steps: [String] = []
    /// Commands that do something else instead.
    var alternatives: [String] = []

    var lines: [String] {
        remarks + steps.enumerated().map { place, step in (place == 0 ? "Next: " : "Then: ") + step }
            + alternatives.map { "Or: " + $0 }
    }

    /// Remarks are wrapped; commands stay whole, to be copied.
    func print(to output: Output) throws {
        for remark in remarks { try output.line("", wrapping: remark.printable) }
        for line in lines.dropFirst(remarks.count) { try output.line(line.printable) }
    }

    var json: JSONValue { .array(lines.map { .string($0) }) }
}
