extension Program {
    /// Starts a worker process on a database and waits until it says that it has begun.
    public static func worker(
        on database: TestDatabase, _ arguments: [String] = [], intake: String? = nil,
        environment: [String: String] = [:]
    ) async throws -> Program {
        let program = try Program(
            ["worker"] + (intake.map { ["--intake", $0] } ?? []) + arguments,
            environment: environment.merging(["DATABASE_URL": database.connectionString]) { $1 })
        guard await program.waitFor("worker started") else {
            let result = await program.wait(timeout: .zero)
            throw WaitedInVain(description: "a worker did not start: \(result.errors)")
        }
        return program
    }

    /// Asks for an orderly end and waits for it.
    @discardableResult
    public func stop(timeout: Duration = .seconds(60)) async -> Result {
        signal(15)
        return await wait(timeout: timeout)
    }
}
