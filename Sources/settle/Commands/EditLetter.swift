import CommandKit
import Repository
import TradeFeed
import TradeModel
import WalletClient

struct EditLetter: Command {
    static let info = CommandInfo(
        "edit", summary: "Give a dead letter another version; what was received stays as it is.",
        discussion: """
            The fields are those of a trade on the wire: price, quantity, buyer_id and so on; an empty value takes an \
            optional field away. The result must be a trade; what the letter says already changes nothing. Nothing is \
            settled before 'settle dlq retry ID', which takes the newest version. When what was received arrives \
            again, it has no effect. Who edited what and why is kept.
            """,
        usage: ["ID --set KEY=VALUE... --reason TEXT [options]", "ID --payload FILE --reason TEXT [options]"],
        examples: [
            Example(
                "settle dlq edit 17 --set price=100.00 --reason 'sent in cents, ticket 4711'",
                "One field anew."),
            Example("settle dlq edit 17 --set quantity=2 --set taker= --dry-run", "What that would come to."),
            Example("settle dlq edit 23 --payload trade.json --reason 'cut off in transit'", "All of it anew."),
        ])

    @Argument("ID", help: "The letter's number.") var number: Int64
    @Option("--set", "KEY=VALUE", help: "A field and what it is to say.")
    var changes: [FieldChange]
    @Option("--payload", "FILE", help: "A file with the whole trade as JSON; - for stdin.") var file: String?
    @OptionGroup("Options") var action: ActionOptions

    func validate() throws {
        guard changes.isEmpty != (file == nil) else {
            throw UsageError("give either '--set KEY=VALUE' or '--payload FILE'")
        }
    }

    func run(_ context: Context) async throws {
        let whole = try file.map(LetterEdit.contents)
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let letter = try LetterQueue.letter(number, on: connection)
        let edit = try LetterEdit(letter, changes: changes.map(\.change), whole: whole, on: connection)
        guard edit.isNew else {
            try context.output.show([
                "id": .count(number), "version": .integer(letter.version), "changes": nil,
                action.dryRun ? "would_change" : "changed": false, "payload": .string(edit.text),
            ]) {
                try context.output.line("dead letter \(number) says that already")
            }
            return
        }
        let prediction = try await LetterForesight(database, on: connection).predict(letter, as: edit.item)
        if action.dryRun { return try show(edit, prediction, context) }
        let version = try edit.carryOut(on: connection, actor: operatorName, reason: action.reason)
        let advice = try LetterStory(number, on: connection).advice
        try context.output.show([
            "id": .count(number), "version": .integer(version), "changes": .string(edit.difference), "changed": true,
            "payload": .string(edit.text), "outcome": .string(prediction.outcome),
            "prediction": .string(prediction.words), "advice": advice.json,
        ]) {
            try context.output.line(
                "dead letter \(number) has version \(version): \(edit.difference.printable)")
            try context.output.line("", wrapping: "a retry \(prediction.words.printable)")
            try advice.print(to: context.output)
        }
    }

    private func show(_ edit: LetterEdit, _ prediction: LetterPrediction, _ context: Context) throws {
        try context.output.show([
            "id": .count(number), "version": .integer(edit.letter.version), "changes": .string(edit.difference),
            "would_change": true, "payload": .string(edit.text),
            "outcome": .string(prediction.outcome), "prediction": .string(prediction.words),
        ]) {
            try context.output.line("would change  \(edit.difference.printable)")
            try context.output.line("to            \(edit.text.printable)")
            try context.output.line("a retry       \(prediction.words.printable)")
        }
    }
}

/// `price=100.00`.
struct FieldChange: ArgumentValue {
    let change: WireEditor.Change

    init(argument: String) throws {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
            throw InvalidValue("expected a field and its value, such as price=100.00")
        }
        let name = String(argument[..<equals])
        guard let change = WireEditor.Change(field: name, text: String(argument[argument.index(after: equals)...]))
        else {
            throw InvalidValue(
                "a trade has no field '\(name.printable)'; it has \(WireEditor.fields.joined(separator: ", "))",
                suggestion: nearestName(to: name, among: WireEditor.fields))
        }
        if let fault = change.fault {
            throw InvalidValue(change.text.isEmpty ? "every trade has \(name), so it cannot be taken away" : fault)
        }
        self.change = change
    }

    var argumentText: String { "\(change.field)=\(change.text)" }
    static var valueName: String { "KEY=VALUE" }
}
