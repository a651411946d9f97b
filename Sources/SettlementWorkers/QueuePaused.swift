import Repository

/// Nothing is settled, since an operator has paused the queue.
public struct QueuePaused: Error, CustomStringConvertible {
    public let control: QueueControl

    public init(_ control: QueueControl) {
        self.control = control
    }

    public var description: String { "the queue is paused \(control.circumstances)" }
}

extension QueueControl {
    /// Since when it has been as it is, by whom, and why: `since 2026-01-02T03:04:05Z by eve: maintenance`.
    public var circumstances: String {
        "since \(changedAt)" + (actor.map { " by \($0)" } ?? "") + (reason.map { $0.isEmpty ? "" : ": \($0)" } ?? "")
    }
}
