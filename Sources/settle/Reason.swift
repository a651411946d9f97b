import CommandKit

/// Why an operator does something, for whoever reads the record later.
struct Reason: ArgumentValue {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    init(argument: String) throws {
        guard argument.contains(where: { !$0.isWhitespace }) else { throw InvalidValue("a reason says something") }
        text = argument
    }

    var argumentText: String { text }
    static var valueName: String { "TEXT" }
}
