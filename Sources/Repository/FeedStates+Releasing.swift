import Glibc
import TradeModel

extension FeedStateStore {
    static let releaseStatement = Statement(
        "feed_state_release",
        "update feed_state set follower = null, leased_until = null where stream = $1 and follower = $2")

    /// Lets others follow a stream at once, whose follower is known to have ended.
    public static func release(_ stream: Identifier, from follower: Int64) -> Request {
        Request(releaseStatement, [.text(stream.text), .int8(follower)])
    }
}

extension RecordedWorker {
    /// Whether it was a process of this machine and is none any more. Of other machines' processes we know nothing.
    public var hasEndedHere: Bool {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let here = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return host == here && kill(pid_t(processID), 0) != 0 && errno == ESRCH
    }
}
