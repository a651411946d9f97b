import ServiceKit
import Testing

/// So many places for the tests of a suite and of those in it; who finds none waits in line.
final class Places: Sendable {
    private struct State {
        var free: Int
        var line: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Guarded<State>

    init(_ count: Int) { state = Guarded(State(free: count)) }

    func enter() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isIn = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.line.append(continuation)
                return false
            }
            if isIn { continuation.resume() }
        }
    }

    /// The place goes to who has waited longest.
    func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard state.line.isEmpty else { return state.line.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}

/// Between `.serialized` and nothing: it holds a test back before that counts among those that run at once, so that no
/// other test's place is taken by one that waits.
struct PlacesTrait: SuiteTrait, TestTrait, TestScoping {
    let places: Places

    var isRecursive: Bool { true }

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
        test.isSuite || testCase != nil ? nil : self
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await places.enter()
        defer { places.leave() }
        try await function()
    }
}

extension Trait where Self == PlacesTrait {
    /// No more than so many tests of the suite, and of those in it, at once; all cases of one count as one.
    static func atMost(_ count: Int) -> Self { PlacesTrait(places: Places(count)) }
}
