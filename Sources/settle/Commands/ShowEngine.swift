import CommandKit
import EngineHost

struct ShowEngine: Command {
    static let info = CommandInfo(
        "status", summary: "Show whether an engine leads or follows, and how far it is.",
        discussion: """
            Of a follower it shows how far its leader is, as far as that has told, and whether it still answers; of a \
            leader, who follows it, and how many records of it they have not made durable yet. The \
            hashes of two engines at the same record are the same, or they have parted.
            """,
        examples: [
            Example("settle engine status", ""),
            Example("settle engine status --engine tcp://127.0.0.1:5570 --json", "Another one, for a program."),
        ])

    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func run(_ context: Context) async throws {
        let answer = try await EngineAccess(engine).ask(.status)
        let leader = answer.standing?.leader
        let consumers = answer.standing?.consumers ?? []
        let lag = leader?.newest.map { max(0, $0 &- answer.sequence) }
        try context.output.show([
            "stream": .string(answer.stream), "role": .string(answer.standing?.role.rawValue),
            "epoch": .count(answer.standing?.epoch),
            "sequence": .count(answer.sequence), "hash": .string(answer.hash),
            "leader": leader.map { leader in
                .object([
                    ("feed", .string(leader.feed)), ("connected", .bool(leader.isConnected)),
                    ("newest", .count(leader.newest)),
                    ("behind", .count(lag)), ("problem", .string(leader.problem)),
                ])
            } ?? .null,
            "consumers": .array(
                consumers.map { consumer in
                    .object([
                        ("name", .string(consumer.name)), ("following", .bool(consumer.isFollowing)),
                        ("kept", .bool(consumer.isKept)),
                        ("acknowledged", .count(consumer.acknowledged)),
                        ("behind", .count(max(0, answer.sequence &- consumer.acknowledged))),
                    ])
                }),
            "open_orders": .integer(answer.openOrders), "accounts": .integer(answer.accounts),
            "trades": .integer(answer.trades),
        ]) {
            var table = Table("STREAM", "ROLE", .init("EPOCH", .right), .init("SEQUENCE", .right), "HASH", "LEADER")
            table.add(
                .init(answer.stream), .init(answer.standing?.role.rawValue ?? "-"),
                .init(answer.standing.map { "\($0.epoch)" } ?? "-"), .init("\(answer.sequence)"), .init(answer.hash),
                .init(leader.map { Self.text($0, lag) } ?? "-"))
            try context.output.print(table)
            guard !consumers.isEmpty else { return }
            var list = Table("CONSUMER", .init("BEHIND", .right), "STATE")
            for consumer in consumers {
                list.add(
                    .init(consumer.name), .init("\(max(0, answer.sequence &- consumer.acknowledged))"),
                    consumer.isFollowing ? "follows" : "away, records are kept for it")
            }
            try context.output.line("")
            try context.output.print(list)
        }
        if let problem = leader?.problem { context.output.note("The leader is not followed: \(problem.printable)") }
    }

    private static func text(_ leader: EngineStanding.Leader, _ lag: Int64?) -> String {
        let state =
            !leader.isConnected
            ? "not there"
            : lag == 0 ? "all taken" : lag.map { "\(Int(clamping: $0).counted("record")) ahead" } ?? "not heard yet"
        return "\(leader.feed) (\(state))"
    }
}
