/// Whether an engine leads, and if not, what it knows of the one that does.
public struct EngineStanding: Codable, Hashable, Sendable {
    public enum Role: String, Codable, Sendable {
        case leading, following
    }

    public struct Leader: Codable, Hashable, Sendable {
        /// Where it publishes.
        public var feed: String
        public var isConnected: Bool
        /// Its newest record, as far as it has told; nil until it has told anything.
        public var newest: Int64?
        /// Why what is at that place is not followed.
        public var problem: String?

        enum CodingKeys: String, CodingKey {
            case feed, newest, problem
            case isConnected = "connected"
        }
    }

    /// Somebody who follows its records, or for whom it keeps them meanwhile.
    public struct Consumer: Codable, Hashable, Sendable {
        public var name: String
        public var isFollowing: Bool
        /// Whether records are kept for it while it is away.
        public var isKept: Bool
        /// Up to here it has made everything durable.
        public var acknowledged: Int64

        enum CodingKeys: String, CodingKey {
            case name, acknowledged
            case isFollowing = "following"
            case isKept = "kept"
        }
    }

    public var role: Role
    /// Grows with each engine that takes the lead; while it follows, its leader's, or 0 until it knows that.
    public var epoch: UInt64
    public var leader: Leader?
    /// Of one that leads: who follows, by name.
    public var consumers: [Consumer] = []
}
