import CommandKit

/// How exported records are written.
enum ExportFormat: String, ArgumentValue, CaseIterable {
    case csv, jsonl

    /// What stands above all records.
    func header(_ columns: [String]) -> String {
        self == .csv ? columns.joined(separator: ",") + "\r\n" : ""
    }

    /// A record in a line of its own, with its end: RFC 4180 or JSON.
    func line(_ columns: [String], _ values: [JSONValue]) -> String {
        switch self {
        case .csv: values.map(Self.field).joined(separator: ",") + "\r\n"
        case .jsonl: JSONValue.object(zip(columns, values).map { (key: $0, value: $1) }).line + "\n"
        }
    }

    private static func field(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): quoted(text)
        default: value.line
        }
    }

    /// An empty text is quoted too: without quotes it would be no text.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\"") && $0 >= 0x20 }
        return isPlain && !text.isEmpty ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

/// Something that is exported, as a row of named columns.
protocol ExportRecord {
    static var columns: [String] { get }
    var values: [JSONValue] { get }
}
