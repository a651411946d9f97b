import CommandKit

struct ShowQueue: Command {
    static let info = CommandInfo(
        "status", summary: "Show whether trades are settled, who works, and what waits.",
        discussion: """
            The queue is running, pausing (paused, while workers still finish what they hold) or paused. Beyond 10,000, \
            what waits is not counted any further. A worker is silent that has given no sign of life for a while and \
            has not signed off; whether it is dead nobody can say.
            """,
        examples: [Example("settle queue status", ""), Example("settle queue status --json", "For a program.")])

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let report = try QueueReport.read(connection, database.limits)
        let standstill = try Standstill.read(connection)
        try context.output.show(.object(report.pairs + [("halted_markets", standstill.haltedMarkets)])) {
            try report.print(to: context.output)
        }
        if let pause = standstill.pause { context.output.note("Next: \(pause.remedy)") }
        for halt in standstill.halts { context.output.note(halt.stop.line) }
    }
}
