/// An engine makes another record of a command than the one that it follows, or has others. It must not lead.
public struct EngineDivergence: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first record that is known to differ.
    public let sequence: Int64
    /// Whether none before it does.
    let isFirst: Bool
    public let description: String
}

/// An engine cannot be started, or cannot go on, in one line that says why.
public struct EngineFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
