/// Why the pool did not take everything that was offered.
public enum PoolError: Error, Hashable, Sendable {
    /// The queue has no room; nothing was taken.
    case full
    /// The pool takes nothing more. So many of the items, the first ones, had been taken before.
    case closed(taken: Int)
    /// The submitter was cancelled while it waited for room. So many of the items, the first ones, had been taken.
    case cancelled(taken: Int)

    /// How many of the items, the first ones, are in the pool.
    var taken: Int {
        switch self {
        case .full: 0
        case .closed(let taken), .cancelled(let taken): taken
        }
    }
}
