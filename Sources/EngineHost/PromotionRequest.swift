import TradeModel

/// The wish that an engine that follows another lead in its place, and who wishes it.
public struct PromotionRequest: Codable, Hashable, Sendable {
    public var actor: String
    public var reason: String
    /// Whether it leads although it lacks records that its leader had.
    public var isForced: Bool
    /// Whether it is only to say what would happen.
    public var isDryRun: Bool

    public init(actor: String, reason: String, isForced: Bool = false, isDryRun: Bool = false) {
        self.actor = actor
        self.reason = reason
        self.isForced = isForced
        self.isDryRun = isDryRun
    }

    enum CodingKeys: String, CodingKey {
        case actor, reason
        case isForced = "force"
        case isDryRun = "dry_run"
    }
}

/// What came of it: the engine leads from here on, or would.
public struct PromotionAnswer: Codable, Hashable, Sendable {
    public var stream: String
    /// The last record that it has, and the hash there.
    public var sequence: Int64
    public var hash: String
    public var epoch: UInt64
    /// False where it led already.
    public var isNew: Bool
    /// The last of the records that nobody has any more; those behind `sequence` up to it are lost.
    public var lostUpTo: Int64?
    /// Where it publishes.
    public var feed: String

    enum CodingKeys: String, CodingKey {
        case stream, sequence, hash, epoch, feed
        case isNew = "new"
        case lostUpTo = "lost_up_to"
    }
}
