/// The limits of a running process. Those that may change while it runs are read here each time they are needed.
@dynamicMemberLookup
public final class LiveLimits: Sendable {
    private let limits: Guarded<Limits>

    public init(_ limits: Limits) {
        self.limits = Guarded(limits)
    }

    public var current: Limits { limits.withLock { $0 } }

    public subscript<Value>(dynamicMember field: KeyPath<Limits, Value>) -> Value { current[keyPath: field] }

    /// Takes over what may change while running, and nothing else.
    public func reload(_ other: Limits) {
        limits.withLock { $0 = $0.reloaded(from: other) }
    }
}
