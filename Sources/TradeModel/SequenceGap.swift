/// Numbers of a sequence that nothing is known of.
public struct SequenceGap: Hashable, Sendable {
    public var numbers: ClosedRange<Int64>
    /// When it was found, and when somebody was told; what is left of a gap keeps that.
    public let foundAt: Timestamp
    public let toldAt: Timestamp?

    public init(numbers: ClosedRange<Int64>, foundAt: Timestamp, toldAt: Timestamp? = nil) {
        self.numbers = numbers
        self.foundAt = foundAt
        self.toldAt = toldAt
    }

    func part(_ numbers: ClosedRange<Int64>) -> SequenceGap {
        SequenceGap(numbers: numbers, foundAt: foundAt, toldAt: toldAt)
    }
}
