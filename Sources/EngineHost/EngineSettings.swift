import TradeEngine
import TradeModel

/// How an engine is run.
public struct EngineSettings: Sendable {
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
    public var snapshotRecords: Int64 = 100_000
    /// So many of the newest records are kept for consumers that nobody knows yet.
    public var keptRecords: Int64 = 1_000_000
    /// So many commands at most share one write of the log, and so one wait for the disk.
    public var batchCommands = 1_000
    /// Without a folder, they take no more than so much memory.
    public var keptBytesMax = 512 << 20
    public var limits = EngineLimits()

    public init(entryEndpoint: String, feedEndpoint: String) {
        self.entryEndpoint = entryEndpoint
        self.feedEndpoint = feedEndpoint
    }
}

/// An engine makes another record of a command than the one that it follows, or has others. It must not lead.
public struct EngineDivergence: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first record that is known to differ.
    public let sequence: Int64
    /// Whether none before it does.
    let isFirst: Bool
    public let description: String
}

/// An engine cannot be started, or cannot go on, in one line that says why.
public struct EngineFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
