/// What a test waited for did not come.
public struct WaitedInVain: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}

/// Looks again and again until a condition holds; throws when it takes longer than the timeout.
///
/// It looks so often at least: where tests that compute without a pause hold all threads, neither this one nor what it
/// waits for comes to anything, and time alone says nothing.
public func eventually(
    _ what: String, timeout: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let looksMin = 200
    let deadline = ContinuousClock.now + timeout
    var looks = 0
    while try await !condition() {
        looks += 1
        guard looks < looksMin || ContinuousClock.now < deadline else {
            throw WaitedInVain(description: "waited \(timeout) until \(what)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
