import CommandKit

/// Where a socket listens, or is found: `tcp://127.0.0.1:5558`, `ipc:///run/settle/intake`.
struct Endpoint: ArgumentValue, Equatable {
    static let expectation = "an endpoint such as tcp://127.0.0.1:5558"

    /// Where an engine takes orders, unless somebody says otherwise; where it publishes its records; and where it tells
    /// everybody of its markets.
    static let orders = Endpoint(text: "tcp://127.0.0.1:5560")
    static let feed = Endpoint(text: "tcp://127.0.0.1:5561")
    static let marketData = Endpoint(text: "tcp://127.0.0.1:5562")

    let text: String

    init(text: String) {
        self.text = text
    }

    init(argument: String) throws {
        guard Self.isEndpoint(argument) else {
            throw InvalidValue("expected \(Self.expectation) or ipc:///run/settle/intake")
        }
        text = argument
    }

    var argumentText: String { text }
    static var valueName: String { "ENDPOINT" }

    /// Whether the text has the form of one; whether the machine has that address is found out by listening there.
    static func isEndpoint(_ text: String) -> Bool {
        if text.hasPrefix("ipc://") { return text.count > "ipc://".count }
        guard text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":") else { return false }
        let host = text[..<colon].dropFirst("tcp://".count)
        let port = text[text.index(after: colon)...]
        return !host.isEmpty && (port == "*" || UInt16(port) != nil)
    }
}
