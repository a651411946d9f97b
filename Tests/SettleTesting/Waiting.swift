/// What a test waited for did not come.
public struct WaitedInVain: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}

/// Looks again and again until a condition holds; throws when it takes longer than the timeout.
public func eventually(
    _ what: String, timeout: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + timeout
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw WaitedInVain(description: "waited \(timeout) until \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
