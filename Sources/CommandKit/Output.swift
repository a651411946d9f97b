import Synchronization

public enum OutputFormat: String, ArgumentValue, CaseIterable { case text, json, jsonl }
public enum ColorChoice: String, ArgumentValue, CaseIterable { case auto, always, never }

/// How a command's results are written; part of every tree's global options.
public struct OutputOptions: ParameterGroup {
    @Option("-o", "--output", help: "How results are written.", default: .text) var outputFormat: OutputFormat
    @Flag("--json", help: "Short for -o json.") var json: Bool
    @Option("--color", help: "When to use colour; auto also heeds NO_COLOR.", default: .auto)
    public var color: ColorChoice
    @Flag("--verbose", "-v", help: "Show the detail behind an error.") public var verbose: Bool

    public var format: OutputFormat { json ? .json : outputFormat }

    public init() {}

    public func validate() throws {
        if json, $outputFormat == .commandLine, outputFormat != .json {
            throw UsageError("'--json' contradicts '-o \(outputFormat.rawValue)'")
        }
    }
}

/// Emphasis on a terminal; nothing where colours are off.
public enum Style: Int, Sendable { case bold = 1, dim = 2, red = 31, green = 32, yellow = 33, cyan = 36 }

/// Writes results to stdout and remarks to stderr.
public final class Output: Sendable {
    public let format: OutputFormat
    public let colors: Bool
    public let verbose: Bool
    let terminal: Terminal
    private let state = Mutex(State())
    /// Held while stdout is written to, so that what several tasks write stays whole and in order.
    private let writing = Mutex(())

    private struct State {
        var buffer = ""
        var progressIsShown = false
    }

    private static let bufferBytesMax = 32_768

    public init(_ terminal: Terminal, _ options: OutputOptions = OutputOptions()) {
        self.terminal = terminal
        format = options.format
        verbose = options.verbose
        colors =
            switch options.color {
            case .always: true
            case .never: false
            case .auto:
                terminal.outputIsTerminal && terminal.environment["TERM"] != "dumb"
                    && terminal.environment["NO_COLOR", default: ""].isEmpty
            }
    }

    /// The text in a style; data from outside goes through `printable` first.
    public func styled(_ text: String, _ style: Style) -> String {
        colors ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// A line on stdout, at once. It may be styled, so data from outside goes through `printable` first.
    public func line(_ text: String = "") throws {
        try write(text + "\n")
        try flush()
    }

    /// A line on stdout; on a terminal it goes on below the end of its label where it is too long.
    public func line(_ label: String, wrapping text: String) throws {
        let room = terminal.outputIsTerminal ? max(20, terminal.columns() - label.columns) : Int.max
        let lines = text.columns > room ? text.wrapped(toColumns: room) : [text]
        let indent = String(repeating: " ", count: label.columns)
        for (number, part) in lines.enumerated() { try line((number == 0 ? label : indent) + part) }
    }

    /// A remark on stderr.
    public func note(_ text: String) {
        try? flush()
        clearProgress()
        terminal.writeError(text.printable + "\n")
    }

    /// What can be typed next, as a remark to people; programs that read JSON are not told.
    public func next(_ command: String) {
        if format == .text { note("Next: \(command)") }
    }

    /// One result: as text, or as the JSON value where that was asked for.
    public func show(_ value: JSONValue, text: () throws -> Void) throws {
        switch format {
        case .text: try text()
        case .json: try write(value.pretty + "\n")
        case .jsonl: try write(value.line + "\n")
        }
    }

    /// A list of results: a table, a JSON array, or a JSON value a line. An empty table is a remark on stderr.
    public func list(_ rows: [JSONValue], empty remark: String, table: () throws -> Table) throws {
        switch format {
        case .text where rows.isEmpty: note(remark)
        case .text: try print(table())
        case .json: try write(JSONValue.array(rows).pretty + "\n")
        case .jsonl: for row in rows { try record(row) }
        }
    }

    public func print(_ table: Table) throws {
        let width = terminal.outputIsTerminal ? terminal.columns() : nil
        for line in table.lines(width: width, style: styled) { try write(line + "\n") }
    }

    /// A JSON value in a line of its own, for streams; written when the buffer is full, or by `flush()`.
    public func record(_ value: JSONValue) throws {
        try write(value.line + "\n")
    }

    /// Says on stderr that there is more, and how to get it.
    public func more(after cursor: String) {
        note("more: --after \(cursor.shellQuoted)")
    }

    public func write(_ text: String) throws {
        let isFull = state.withLock { state in
            state.buffer += text
            return state.buffer.utf8.count > Self.bufferBytesMax
        }
        if isFull || terminal.outputIsTerminal { try flush() }
    }

    public func flush() throws {
        try writing.withLock { _ in
            let text = state.withLock { state in
                defer { state.buffer = "" }
                return state.buffer
            }
            guard !text.isEmpty else { return }
            clearProgress()
            try terminal.write(.output, text)
        }
    }

    /// Redraws the progress line on stderr, if that is a terminal.
    func showProgress(_ text: String) {
        guard terminal.errorIsTerminal else { return }
        state.withLock { $0.progressIsShown = true }
        terminal.writeError("\r\u{1B}[K" + text.printable.truncated(toColumns: terminal.columns() - 1))
    }

    func clearProgress() {
        let wasShown = state.withLock { state in
            defer { state.progressIsShown = false }
            return state.progressIsShown
        }
        if wasShown { terminal.writeError("\r\u{1B}[K") }
    }
}
