import TradeModel

/// Which letters are meant. All conditions that are given must hold.
public struct LetterFilter: Sendable {
    public var failureClass: FailureClass?
    public var market: MarketSymbol?
    public var account: Identifier?
    public var since: Timestamp?
    public var until: Timestamp?
    public var status: LetterStatus?

    public init(
        failureClass: FailureClass? = nil, market: MarketSymbol? = nil, account: Identifier? = nil,
        since: Timestamp? = nil, until: Timestamp? = nil, status: LetterStatus? = nil
    ) {
        self.failureClass = failureClass
        self.market = market
        self.account = account
        self.since = since
        self.until = until
        self.status = status
    }
}

extension LetterFilter {
    var parameters: [Parameter] {
        [
            .text(failureClass?.rawValue), .text(market?.text), .text(account?.text),
            .timestamp(since), .timestamp(until), .text(status?.rawValue),
        ]
    }

    /// Which conditions are given. Each shape is a statement of its own, so that each has the plan that suits it.
    var shape: String {
        let given: [(Bool, String)] = [
            (failureClass != nil, "class"), (market != nil, "market"), (account != nil, "account"),
            (since != nil, "since"), (until != nil, "until"), (status != nil, "status"),
        ]
        return given.filter(\.0).map { "_" + $0.1 }.joined()
    }

    private var conditions: [String] {
        let conditions: [(Bool, String)] = [
            (failureClass != nil, "l.class = $1"), (market != nil, "l.market = $2"),
            (since != nil, "l.parked_at >= $4"), (until != nil, "l.parked_at < $5"),
            (status != nil, "l.status = $6::letter_status"),
        ]
        return conditions.filter(\.0).map(\.1)
    }

    /// The letters that match, in an order and no more than so many.
    ///
    /// An account is looked for as the buyer and as the seller, each along an index of its own.
    func selection(and condition: String = "true", order: String, limit: String) -> String {
        let conditions = conditions + [condition]
        func part(_ more: [String]) -> String {
            """
            select * from dead_letters l where \((conditions + more).joined(separator: " and "))
             order by \(order) limit \(limit)
            """
        }
        guard account != nil else { return part([]) }
        return """
            select * from (
                (\(part(["l.buyer_id = $3"])))
                union all
                (\(part(["l.seller_id = $3", "l.buyer_id is distinct from $3"])))) l
             order by \(order) limit \(limit)
            """
    }

    /// The letters that match in the order of parking, behind a place in it if one is given, and no more than so many.
    ///
    /// Those of an account are looked for by the whole key of the account's index, which no other index has. By the
    /// statistics alone, one that leads through all letters of the status may look as good, and is long where the
    /// account has few of them.
    func page(behind place: (parkedAt: String, letter: String)? = nil, limit: String) -> String {
        let order = "l.parked_at, l.letter_no"
        guard account != nil, status != nil, failureClass == nil, market == nil else {
            return selection(
                and: place.map { "(\(order)) > (\($0.parkedAt), \($0.letter))" } ?? "true", order: order, limit: limit)
        }
        let beginning = (parkedAt: since == nil ? "'-infinity'" : "$4", letter: "0")
        let first = place ?? beginning
        func part(_ side: String, _ more: [String]) -> String {
            let range = [
                "(\(side), l.status, \(order)) > ($3, $6::letter_status, \(first.parkedAt), \(first.letter))",
                "(\(side), l.status, l.parked_at) < ($3, $6::letter_status, \(until == nil ? "'infinity'" : "$5"))",
            ]
            let others = place != nil && since != nil ? ["l.parked_at >= $4"] : []
            return """
                select * from dead_letters l where \((range + others + more).joined(separator: " and "))
                 order by \(side), l.status, \(order) limit \(limit)
                """
        }
        return """
            select * from (
                (\(part("l.buyer_id", [])))
                union all
                (\(part("l.seller_id", ["l.buyer_id is distinct from $3"])))) l
             order by \(order) limit \(limit)
            """
    }

    /// One row for each letter that matches.
    var rows: String {
        func part(_ more: [String]) -> String {
            "select from dead_letters l where \((["true"] + conditions + more).joined(separator: " and "))"
        }
        guard account != nil else { return part([]) }
        return "\(part(["l.buyer_id = $3"])) union all \(part(["l.seller_id = $3", "l.buyer_id is distinct from $3"]))"
    }
}
