import ServiceKit

/// Does something while programs are started one behind the other: each has copies of all descriptors for an instant.
func whileProgramsStart(_ body: () throws -> Void) async throws {
    let isDone = Guarded(false)
    let starting = Task.detached {
        while !isDone.withLock({ $0 }) {
            _ = try ChildProcess(["/bin/true"], environment: [:])
            await Task.yield()
        }
    }
    let result = Result { try body() }
    isDone.withLock { $0 = true }
    try await starting.value
    try result.get()
}
