/// How many there are, counted up to a bound, so that the answer is quick however many there be.
public struct BoundedCount: Hashable, Sendable {
    /// Counting ends here where nothing else is said.
    public static let bound = 10_000

    public let value: Int64
    /// Whether there are more than were counted.
    public let hasMore: Bool

    /// - Parameter counted: what a query has counted that stops one beyond the bound.
    init(_ counted: Int64, bound: Int = Self.bound) {
        value = min(counted, Int64(bound))
        hasMore = counted > Int64(bound)
    }

    /// What a query is to count at most.
    static func limit(_ bound: Int = Self.bound) -> Parameter { .int8(Int64(bound) + 1) }
}
