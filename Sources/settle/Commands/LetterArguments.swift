import CommandKit
import Repository
import TradeModel

/// Which letters a command is about.
struct LetterFilterOptions: ParameterGroup {
    @Option("--class", "CLASS", help: "Only those parked for this kind of reason.") var failureClass: FailureClass?
    @Option("--market", help: "Only this market's.") var market: MarketSymbol?
    @Option("--account", "ACCOUNT", help: "Only those whose buyer or seller this is.") var account: Identifier?
    @Option(
        "--since", "TIME", help: "Only those parked from then on: 2026-01-02, 2026-01-02T03:04:05Z, 30m (ago) or now.")
    var since: Timestamp?
    @Option("--until", "TIME", help: "Only those parked before then, written likewise.") var until: Timestamp?

    func validate() throws { try checkPeriod(since: since, until: until) }

    var isEmpty: Bool {
        failureClass == nil && market == nil && account == nil && since == nil && until == nil
    }

    func filter(status: LetterStatus?) -> LetterFilter {
        LetterFilter(
            failureClass: failureClass, market: market, account: account, since: since, until: until, status: status)
    }

    /// Letters are named by their numbers, by a filter, or all at once.
    func check(_ numbers: [Int64], all: Bool) throws {
        let ways = [!numbers.isEmpty, all, !isEmpty].count { $0 }
        if ways == 0 { throw UsageError("give the letters' IDs, a filter, or '--all'") }
        if !numbers.isEmpty, ways > 1 { throw UsageError("IDs go without '--all' and without filters") }
    }

    /// The letters that are meant.
    func queue(_ numbers: [Int64], status: LetterStatus, on connection: PostgresConnection) throws -> LetterQueue {
        guard numbers.isEmpty else { return try LetterQueue(numbers, on: connection) }
        let queue = try LetterQueue(filter(status: status), on: connection)
        if queue.count == 0 { try requireKnown(connection) }
        return queue
    }

    /// Fails where nothing was found because there is no such market or account: not in the books, nor in any letter.
    func requireKnown(_ connection: PostgresConnection) throws {
        if let market, try !isInLetters(connection, { $0.market = market }) {
            _ = try CatalogStore.read(connection).known(market)
        }
        if let account, try !isInLetters(connection, { $0.account = account }) {
            _ = try AccountRecord.find(account, connection)
        }
    }

    /// Whether any letter matches, whatever its status. Asked for each status, for which there are indexes.
    private func isInLetters(_ connection: PostgresConnection, _ narrow: (inout LetterFilter) -> Void) throws -> Bool {
        let requests = LetterStatus.allCases.map { status in
            var filter = LetterFilter(status: status)
            narrow(&filter)
            return DeadLetterStore.list(filter, after: 0, limit: 1)
        }
        return try connection.pipeline(requests).contains { $0.count > 0 }
    }
}
