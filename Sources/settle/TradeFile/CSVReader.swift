/// Reads CSV (RFC 4180) record by record, in bounded memory: commas, quotes, line ends within quotes, CRLF or LF.
///
/// A record that cannot be read is told by the line that it begins in, and reading goes on with the next line.
struct CSVReader {
    enum Record: Equatable {
        case fields([String], line: Int)
        case malformed(String, line: Int)
    }

    /// A record that goes on for longer has lost its closing quote.
    private static let lineCountMax = 64
    private static let byteCountMax = 65_536

    private var lines: FileLines

    init(_ lines: FileLines) {
        self.lines = lines
    }

    /// The next record; nil after the last. Empty lines are none.
    mutating func next() throws -> Record? {
        while let line = try lines.next() {
            let number = lines.number
            guard !line.isEmpty, line != [UInt8(ascii: "\r")] else { continue }
            var text = number == 1 ? Self.withoutMark(line) : line
            var more: [[UInt8]] = []
            while Self.isOpen(text) {
                guard more.count < Self.lineCountMax, text.count < Self.byteCountMax, let next = try lines.next() else {
                    lines.giveBack(more)
                    return .malformed("a quote is opened and not closed", line: number)
                }
                more.append(next)
                text.append(UInt8(ascii: "\n"))
                text += next
            }
            switch Self.fields(of: text) {
            case .success(let fields): return .fields(fields, line: number)
            case .failure(let fault):
                lines.giveBack(more)
                return .malformed(fault.words, line: number)
            }
        }
        return nil
    }

    private struct Fault: Error {
        let words: String
    }

    /// Whether the text ends within quotes: they come in pairs, also those that stand for one.
    private static func isOpen(_ text: [UInt8]) -> Bool {
        text.reduce(into: false) { isOpen, byte in if byte == UInt8(ascii: "\"") { isOpen.toggle() } }
    }

    private static func withoutMark(_ line: [UInt8]) -> [UInt8] {
        line.starts(with: [0xef, 0xbb, 0xbf]) ? Array(line.dropFirst(3)) : line
    }

    private static func fields(of text: [UInt8]) -> Result<[String], Fault> {
        let quote = UInt8(ascii: "\"")
        let comma = UInt8(ascii: ",")
        let text = text.last == UInt8(ascii: "\r") ? text.dropLast() : text[...]
        var fields: [String] = []
        var index = 0
        while true {
            var field: [UInt8] = []
            if index < text.count, text[index] == quote {
                index += 1
                while index < text.count {
                    if text[index] == quote {
                        guard index + 1 < text.count, text[index + 1] == quote else { break }
                        index += 1
                    }
                    field.append(text[index])
                    index += 1
                }
                index += 1
                guard index >= text.count || text[index] == comma else {
                    return .failure(
                        Fault(words: "something stands behind the closing quote of field \(fields.count + 1)"))
                }
            } else {
                while index < text.count, text[index] != comma {
                    guard text[index] != quote else {
                        return .failure(
                            Fault(words: "field \(fields.count + 1) has a quote and does not begin with one"))
                    }
                    field.append(text[index])
                    index += 1
                }
            }
            guard let string = String(validating: field, as: UTF8.self) else {
                return .failure(Fault(words: "field \(fields.count + 1) is no UTF-8 text"))
            }
            fields.append(string)
            guard index < text.count else { return .success(fields) }
            index += 1
        }
    }
}
