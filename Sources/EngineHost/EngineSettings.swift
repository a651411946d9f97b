import TradeEngine
import TradeModel

/// How an engine is run.
public struct EngineSettings: Sendable {
    public static let usualSnapshotRecords = 100_000
    public static let usualKeptRecords = 1_000_000
    public static let usualBatchCommands = 1_000

    /// What its output is called.
    public var stream = Identifier("main")!
    /// Where orders come in.
    public var entryEndpoint: String
    /// Where its output is published.
    public var feedEndpoint: String
    /// Where its commands, records and snapshots are kept; nil keeps the newest records in memory alone.
    public var folder: String?
    /// The feed of the engine that it follows, until it is made to lead; nil leads.
    public var leader: String?
    /// A leader that has said nothing for so long is taken to be gone. It says something each second.
    public var leaderSilenceMilliseconds = 3_000
    /// Whether it follows even whom it has taken the place of.
    public var stepsDown = false
    /// So many records lie between two snapshots.
    public var snapshotRecords = Int64(Self.usualSnapshotRecords)
    /// So many of the newest records are kept for consumers that nobody knows yet.
    public var keptRecords = Int64(Self.usualKeptRecords)
    /// So many commands at most share one write of the log, and so one wait for the disk.
    public var batchCommands = Self.usualBatchCommands
    /// Without a folder, they take no more than so much memory.
    public var keptBytesMax = 512 << 20
    public var limits = EngineLimits()

    public init(entryEndpoint: String, feedEndpoint: String) {
        self.entryEndpoint = entryEndpoint
        self.feedEndpoint = feedEndpoint
    }
}
