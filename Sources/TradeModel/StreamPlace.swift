/// The record of an engine's output in which something happened.
public struct StreamPlace: Hashable, Sendable {
    public let stream: Identifier
    public let sequence: Int64

    public init(stream: Identifier, sequence: Int64) {
        self.stream = stream
        self.sequence = sequence
    }
}
