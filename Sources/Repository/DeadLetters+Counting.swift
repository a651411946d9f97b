import TradeModel

/// The letters of one class or market in numbers.
public struct LetterStatistics: Sendable {
    /// nil: those whose market could not be read.
    public let group: String?
    public let counts: [LetterStatus: BoundedCount]
    /// When the first and the last of the open ones were parked.
    public let oldestOpen: Timestamp?
    public let newestOpen: Timestamp?

    public var isEmpty: Bool { counts.values.allSatisfy { $0.value == 0 } }
}

extension DeadLetterStore {
    /// Lets a connection read along indexes alone. Where statistics promise that matches are soon met, PostgreSQL would
    /// rather walk through the table, and to its end where there are none.
    public static func keepToIndexes(_ connection: PostgresConnection) throws(DatabaseError) {
        try connection.script("set enable_seqscan = off; set enable_bitmapscan = off")
    }

    /// How many match, up to the bound.
    public static func countBounded(_ filter: LetterFilter) -> Request {
        // As a list finds them, along the same index.
        let selection = filter.page(limit: "$7")
        return Request(
            Statement("dead_letters_count_bounded\(filter.shape)", "select count(*) from (\(selection)) l"),
            filter.parameters + [BoundedCount.limit()])
    }

    public static func decodeBounded(_ rows: Rows) -> BoundedCount {
        BoundedCount(rows.int64(0, 0))
    }

    /// How many match, however long that takes.
    public static func count(_ filter: LetterFilter) -> Request {
        Request(
            Statement(
                "dead_letters_count\(filter.shape)",
                "select count(*) from (\(filter.rows)) l"),
            filter.parameters)
    }

    // MARK: Statistics

    /// Each count ends at its bound, along the index of its group.
    private static func statistics(_ column: String, _ matches: String) -> Statement {
        func count(_ status: LetterStatus) -> String {
            """
            (select count(*) from (
                select from dead_letters l where l.status = '\(status.rawValue)' and \(matches) limit $2) l)
            """
        }
        func time(_ direction: String) -> String {
            """
            (select l.parked_at from dead_letters l where l.status = 'open' and \(matches)
              order by l.parked_at \(direction) limit 1)
            """
        }
        return Statement(
            "dead_letters_statistics_\(column)",
            """
            select g.name, \(count(.open)), \(count(.retried)), \(count(.discarded)), \(time("asc")), \(time("desc"))
              from unnest($1) g (name)
            """)
    }

    static let classStatistics = statistics("class", "l.class = g.name")
    static let marketStatistics = statistics("market", "l.market = g.name")
    static let nowhereStatistics = statistics("nowhere", "l.market is null")

    public static func statistics(ofClasses classes: [FailureClass]) -> Request {
        Request(classStatistics, [.texts(classes) { $0.rawValue }, BoundedCount.limit()])
    }

    public static func statistics(ofMarkets markets: [String]) -> Request {
        Request(marketStatistics, [.texts(markets) { $0 }, BoundedCount.limit()])
    }

    /// Of the letters whose market could not be read.
    public static var statisticsOfNowhere: Request {
        Request(nowhereStatistics, [.texts([String?.none]) { $0 }, BoundedCount.limit()])
    }

    public static func decodeStatistics(_ rows: Rows) -> [LetterStatistics] {
        rows.indices.map { row in
            let counts = zip([LetterStatus.open, .retried, .discarded], 1...3).map { status, column in
                (status, BoundedCount(rows.int64(row, column)))
            }
            return LetterStatistics(
                group: rows.optional(row, 0, rows.string), counts: Dictionary(uniqueKeysWithValues: counts),
                oldestOpen: rows.optional(row, 4, rows.timestamp), newestOpen: rows.optional(row, 5, rows.timestamp))
        }
    }

    static let marketsStatement = Statement(
        "dead_letters_markets",
        """
        with recursive names (name) as (
            select min(market) from dead_letters where market > $1
            union all
            select (select min(market) from dead_letters where market > n.name) from names n where n.name is not null)
        select name from names where name is not null limit $2
        """)

    /// The names of markets that letters have, in order, each found by one step along an index.
    public static func markets(after: String, limit: Int) -> Request {
        Request(marketsStatement, [.text(after), .int8(Int64(limit))])
    }

    public static func decodeNames(_ rows: Rows) -> [String] { rows.indices.map { rows.string($0, 0) } }
}
