import Repository
import ServiceKit

/// Builds the indexes that readers want, of all processes on a database one at a time.
///
/// What is missing is asked for from time to time, and as soon as the ledger has left a range, whose index is due then.
struct IndexBuilding: BesideDuty {
    let name = "building of an index"
    /// The time between looks at everything.
    let interval: Duration
    private var nextRound = ContinuousClock.now
    /// The range of the ledger in use at the last look.
    private var lastRange: Int64?
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
        let range = try ReadingIndexStore.rangeInUse(on: connection)
        let isRound = ContinuousClock.now >= nextRound
        guard isRound || range != lastRange else { return false }
        lastRange = range
        while !Task.isCancelled, let done = try ReadingIndexStore.advance(on: connection) {
            log.info("index", ["statement": done])
        }
        if isRound { nextRound = .now + interval }
        return false
    }
}
