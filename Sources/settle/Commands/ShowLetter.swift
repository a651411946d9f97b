import CommandKit
import Repository

struct ShowLetter: Command {
    static let info = CommandInfo(
        "show",
        summary: "Explain one dead letter: what was received, why it was parked, what is missing now, what to do.",
        examples: [
            Example("settle dlq show 17", "Everything about one letter, for a person."),
            Example("settle dlq show 17 --json", "The same for a script."),
        ])

    @Argument("ID", help: "The letter's number, as 'settle dlq list' shows it.") var number: Int64

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        try DeadLetterStore.keepToIndexes(connection)
        let story = try LetterStory(number, on: connection)
        try context.output.show(story.json) { try story.tell(context.output) }
    }
}
