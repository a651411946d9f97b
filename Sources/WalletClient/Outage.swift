import Repository
import ServiceKit

/// What a log says of a database that is away: when it goes, why, now and then while it lasts, and when it is back.
struct Outage: Sendable {
    private enum Kind: Hashable, Sendable {
        case isAway
        case takesNoWrites
    }

    private static let repetition = Duration.seconds(60)

    private var kind: Kind?
    private var saidAt: ContinuousClock.Instant?

    /// Takes note of a failure, and returns what to say of it; nil where that was said lately.
    mutating func failed(_ fault: DatabaseFault?, at now: ContinuousClock.Instant) -> String? {
        let kind: Kind = fault?.isOfWriting == true ? .takesNoWrites : .isAway
        if kind == self.kind, let saidAt, now - saidAt < Self.repetition { return nil }
        (self.kind, saidAt) = (kind, now)
        return switch kind {
        case .isAway: "database is away"
        case .takesNoWrites: "the database takes no writes"
        }
    }

    /// Takes note that it answers, or took a write; whether that is news.
    mutating func ended(hasWritten: Bool) -> Bool {
        guard kind != nil, hasWritten || kind == .isAway else { return false }
        (kind, saidAt) = (nil, nil)
        return true
    }
}

extension DatabaseFault {
    /// Whether the server is there and cannot write: its disk is full, or it is read-only.
    fileprivate var isOfWriting: Bool {
        sqlState == DatabaseError.diskFull || sqlState == DatabaseError.readOnlyTransaction
            || message.contains("No space left on device")
    }
}
