/// A message of the feed as it arrived.
package struct FeedFrame: Hashable, Sendable {
    /// Where an answer goes; empty where there is only one way.
    package var route: [UInt8]
    package var bytes: [UInt8]
    /// One in every message of the feed.
    package var parts: Int

    package func message() -> Result<FeedMessage, MalformedFeedMessage> {
        guard parts == 1 else { return .failure(.parts(parts)) }
        return Result { () throws(MalformedFeedMessage) in try FeedMessage(bytes) }
    }
}
