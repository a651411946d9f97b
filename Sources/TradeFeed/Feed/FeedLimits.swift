/// The bounds of the feed. What goes beyond them is refused, or waits.
public enum FeedLimits {
    /// A batch: up to so many bytes of records with their lengths, or a single larger record.
    public static let batchBytesMax = 262_144
    public static let batchRecordsMax = 4_096
    /// A message from a publisher; libzmq ends the connection that sends a larger one.
    public static let messageBytesMax = LogLimits.recordBytesMax + batchBytesMax
    /// A message from a consumer.
    public static let consumerMessageBytesMax = 1_024
    /// The text of a refusal.
    public static let refusalTextBytesMax = 512
    /// Batches that a consumer may let come before it takes them.
    public static let creditBatchesMax = 64
    /// What is on its way to one consumer at most, unless a single batch is larger.
    public static let outstandingBytesMax = 4_194_304
    /// Consumers that are followed at once, and those whose place is known.
    public static let consumersMax = 1_000
}
