import CommandKit
import EngineHost
import TradeModel

struct ForgetConsumer: Command {
    static let info = CommandInfo(
        "forget", summary: "Keep no records any longer for a consumer that will not come back.",
        discussion: """
            An engine keeps its records until each consumer that it knows has made them durable: settlement, and \
            followers with a folder. 'settle engine status' lists them. One that comes back all the same gets what is \
            still there.
            """,
        examples: [
            Example("settle engine forget replica-7c1f40a2 --reason 'machine gone'", "Its records may go.")
        ])

    @Argument("CONSUMER", help: "Which consumer, as 'settle engine status' names it.") var consumer: Identifier
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        let answer = try await EngineAccess(engine).forget(
            ForgetRequest(
                consumer: consumer.text, actor: operatorName, reason: action.reason, isDryRun: action.dryRun))
        let name = "consumer '\(consumer.text.printable)'"
        switch answer.outcome {
        case .unknown:
            throw CommandFailure(
                "the engine knows no \(name); 'settle engine status' lists those that it knows", exit: .notFound)
        case .following:
            throw CommandFailure("\(name) follows the engine at the moment; stop it first")
        case .forgotten: break
        }
        try context.output.show([
            "consumer": .id(consumer), "acknowledged": .count(answer.acknowledged),
            action.dryRun ? "would_forget" : "forgotten": .bool(true),
        ]) {
            try context.output.line(
                "\(name) \(action.dryRun ? "would be" : "is") forgotten; it had everything up to record "
                    + "\(answer.acknowledged ?? 0)")
        }
    }
}
