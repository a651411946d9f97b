/// How many there are, counted up to a bound, so that the answer is quick however many there be.
public struct BoundedCount: Sendable, Equatable {
    /// Counting ends here.
    public static let bound = 10_000

    public let value: Int
    /// Whether there are more than were counted.
    public let hasMore: Bool

    /// - Parameter counted: what a query has counted that stops one beyond the bound.
    public init(counted: Int64) {
        value = Int(min(counted, Int64(Self.bound)))
        hasMore = counted > Self.bound
    }

    /// What a query is to count at most.
    static var limit: Parameter { .int8(Int64(bound) + 1) }
}
