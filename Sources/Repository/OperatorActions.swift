import TradeModel

/// What an operator did, to what, and why.
public struct OperatorAction: Sendable {
    public enum Kind: String, Sendable {
        case pause, resume, drain, halt, freeze, unfreeze, close, credit, skip, restore, reverse
        case refuseReversal = "reverse_refused"
    }

    /// What something was done to.
    public enum Subject: Sendable, Hashable {
        case queue
        case market(MarketSymbol)
        case account(Identifier)
        case feed(Identifier)
        /// A comparison of the books with what somebody else has, by its number.
        case reconciliation(Int64)
        case trade(TradeKey)

        var text: String {
            switch self {
            case .queue: "queue"
            case .market(let symbol): "market \(symbol)"
            case .account(let id): "account \(id)"
            case .feed(let stream): "feed \(stream)"
            case .reconciliation(let job): "reconciliation \(job)"
            case .trade(let key): "trade \(key)"
            }
        }
    }

    public let kind: Kind
    public let subject: Subject
    public let actor: String
    public let reason: String
    /// What else there is to say: amounts, what was before.
    public var detail: [(name: String, value: String)]

    public init(
        _ kind: Kind, _ subject: Subject, actor: String, reason: String,
        detail: [(name: String, value: String)] = []
    ) {
        self.kind = kind
        self.subject = subject
        self.actor = actor
        self.reason = reason
        self.detail = detail
    }
}

/// A row of `operator_actions`.
public struct RecordedAction: Sendable {
    public let number: Int64
    public let at: Timestamp
    public let actor: String
    public let action: String
    public let reason: String
    public let detail: [(name: String, value: String)]
}

/// Table `operator_actions`: nothing in it is ever changed.
public enum OperatorActionStore {
    static let recordStatement = Statement(
        "operator_actions_record",
        """
        insert into operator_actions (actor, action, subject, reason, detail)
        values ($1, $2, $3, $4, jsonb_object($5, $6)) returning action_no
        """)

    /// To be sent in the transaction that gives the action its effect.
    public static func record(_ action: OperatorAction) -> Request {
        Request(
            recordStatement,
            [
                .text(action.actor), .text(action.kind.rawValue), .text(action.subject.text), .text(action.reason),
                .texts(action.detail) { $0.name }, .texts(action.detail) { $0.value },
            ])
    }

    static let latestStatement = Statement(
        "operator_actions_latest",
        """
        select action_no, at, actor, action, reason,
               (select coalesce(string_agg(key || chr(31) || value, chr(30) order by key), '')
                  from jsonb_each_text(detail))
          from operator_actions where subject = $1 order by action_no desc limit $2
        """)

    /// The latest actions on a subject, newest first.
    public static func latest(on subject: OperatorAction.Subject, limit: Int) -> Request {
        Request(latestStatement, [.text(subject.text), .int8(Int64(limit))])
    }

    public static func decode(_ rows: Rows) -> [RecordedAction] {
        rows.indices.map { row in
            RecordedAction(
                number: rows.int64(row, 0), at: rows.timestamp(row, 1), actor: rows.string(row, 2),
                action: rows.string(row, 3), reason: rows.string(row, 4),
                detail: rows.string(row, 5).split(separator: "\u{1e}").map { pair in
                    let parts = pair.split(separator: "\u{1f}", maxSplits: 1, omittingEmptySubsequences: false)
                    return (String(parts[0]), String(parts.last ?? ""))
                })
        }
    }
}
