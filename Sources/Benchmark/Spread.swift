/// The middle of several measurements, and how far they lie apart.
public struct Spread: Sendable, Equatable {
    public let median: Double
    public let minimum: Double
    public let maximum: Double

    /// nil where nothing was measured.
    public init?(_ values: [Double]) {
        let sorted = values.filter(\.isFinite).sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        minimum = first
        maximum = last
    }
}
