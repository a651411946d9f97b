/// The wish that an engine keep nothing any longer for a consumer that will not come back, and who wishes it.
public struct ForgetRequest: Codable, Hashable, Sendable {
    public var consumer: String
    public var actor: String
    public var reason: String
    /// Whether it is only to say what would happen.
    public var isDryRun: Bool

    public init(consumer: String, actor: String, reason: String, isDryRun: Bool = false) {
        self.consumer = consumer
        self.actor = actor
        self.reason = reason
        self.isDryRun = isDryRun
    }

    enum CodingKeys: String, CodingKey {
        case consumer, actor, reason
        case isDryRun = "dry_run"
    }
}

/// What came of it.
public struct ForgetAnswer: Codable, Hashable, Sendable {
    public enum Outcome: String, Codable, Sendable {
        case forgotten
        /// It follows at the moment, so that it did come back.
        case following
        /// There is no consumer of that name.
        case unknown
    }

    public var outcome: Outcome
    /// Up to here it had made everything durable; nil where it is not known.
    public var acknowledged: Int64?
}
