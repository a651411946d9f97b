import Repository
import ServiceKit

/// Keeps the summaries of what is appended up to date, so that readers find what came last.
///
/// Readers go through what has no summary yet, so the ledger gets its own at each look.
struct Summarizing: BesideDuty {
    /// The time between summaries of trades and operations.
    private static let tradesInterval = Duration.seconds(10)

    let name = "summarizing"
    private var summaries = Summaries()
    private var nextTrades = ContinuousClock.now
    /// Whether the role may do it; asked once.
    private var maySummarize: Bool?

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool {
        if maySummarize == nil { maySummarize = try ReadingIndexStore.mayBuild(on: connection) }
        guard maySummarize == true else { return false }
        try summaries.bringLedgerUp(on: connection)
        if ContinuousClock.now >= nextTrades {
            try Summaries.bringTradesUp(on: connection)
            nextTrades = .now + Self.tradesInterval
        }
        return false
    }
}
