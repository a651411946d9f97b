import CommandKit
import EngineHost
import TradeModel

struct PromoteEngine: Command {
    static let info = CommandInfo(
        "promote", summary: "Let an engine that follows another lead in its place.",
        discussion: """
            Stop the leader first, and be sure that it stays down: as long as it answers this is refused, and so it is \
            when the follower lacks records that the leader had. Nobody can give orders to either meanwhile. The \
            engine then publishes under a later epoch, and who has seen that follows the old leader no more. Afterwards \
            start workers with the new '--feed', and the old leader, if at all, with '--follow'. The answer may take a \
            few seconds.
            """,
        examples: [
            Example(
                "settle engine promote --engine tcp://127.0.0.1:5570 --reason 'disk lost'",
                "The follower that takes orders there leads from now on."),
            Example("settle engine promote --engine tcp://127.0.0.1:5570 --dry-run", "Whether it could."),
        ])

    @Flag("--force", help: "Lead even if records are lost by it; the answer says which.") var force: Bool
    @Option(
        "--engine", help: "Where the follower listens for orders.", environment: "SETTLE_ENGINE",
        default: .orders)
    var engine: Endpoint
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        let answer = try await EngineAccess(engine).promote(
            PromotionRequest(
                actor: operatorName, reason: action.reason, isForced: force, isDryRun: action.dryRun))
        let lost = answer.lostUpTo.map { last in (first: answer.sequence &+ 1, last: last) }
        try context.output.show([
            "stream": .string(answer.stream), "sequence": .count(answer.sequence),
            "hash": .string(answer.hash),
            "epoch": .count(answer.epoch), "feed": .string(answer.feed),
            action.dryRun ? "would_promote" : "promoted": .bool(answer.isNew),
            "lost": lost.map {
                .object([("first", .count($0.first)), ("last", .count($0.last))])
            } ?? .null,
        ]) {
            let what =
                !answer.isNew ? "leads already" : action.dryRun ? "would lead" : "leads"
            try context.output.line(
                "the engine \(what) behind record \(answer.sequence), in epoch \(answer.epoch)"
                    + (lost.map { "; \(Self.records($0.first, $0.last)) \(action.dryRun ? "would be" : "are") lost" }
                        ?? ""))
        }
        if answer.isNew, !action.dryRun { context.output.next("settle worker --feed \(answer.feed.printable)") }
    }

    private static func records(_ first: Int64, _ last: Int64) -> String {
        first == last ? "record \(first)" : "records \(first) to \(last)"
    }
}
