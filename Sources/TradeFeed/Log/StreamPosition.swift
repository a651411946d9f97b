/// A place in a stream: behind the record with this sequence, with the hash chained up to it.
///
/// Records are numbered from 1. Before the first the sequence is 0, and so is the hash.
public struct StreamPosition: Hashable, Sendable {
    public var sequence: Int64
    public var hash: UInt64

    public static let start = StreamPosition(sequence: 0, hash: 0)

    public init(sequence: Int64, hash: UInt64) {
        self.sequence = sequence
        self.hash = hash
    }
}
