import Repository
import ServiceKit
import TradeModel

/// Builds the indexes that readers want, of all processes on a database one at a time.
///
/// What is missing is asked for from time to time, and sooner when the ledger has grown: at full speed it gets another
/// piece's entries every few seconds. Whether it has grown is asked often, and costs next to nothing.
struct IndexBuilding: BesideDuty {
    /// So many new entries are reason enough to look: a part of a piece, so that its index is begun when it is due.
    private static let growthMin = ReadingIndexStore.pieceEntriesMax / 8

    let name = "building of an index"
    /// The time between looks that no growth asks for.
    let interval: Duration
    private var nextRound = ContinuousClock.now
    /// The newest batch at the last look.
    private var lastSeen = BatchNumber.max
    /// Whether the role may do it; asked once.
    private var mayBuild: Bool?

    init(interval: Duration = .seconds(10)) {
        self.interval = interval
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool {
        if mayBuild == nil {
            mayBuild = try ReadingIndexStore.mayBuild(on: connection)
            if mayBuild == false {
                log.info("indexes are left to the owner of the tables", ["command": "settle migrate indexes"])
            }
        }
        guard mayBuild == true else { return false }
        let growth = try ReadingIndexStore.growth(since: lastSeen, on: connection)
        let isRound = ContinuousClock.now >= nextRound
        guard isRound || growth.entries >= Self.growthMin else { return false }
        // From before the builds: what comes while they last is growth, too.
        lastSeen = growth.newest
        while !Task.isCancelled, let done = try ReadingIndexStore.advance(on: connection) {
            log.info("index", ["statement": done])
        }
        if isRound, !Task.isCancelled {
            try ReadingIndexStore.summarize(on: connection)
            nextRound = .now + interval
        }
        return false
    }
}
