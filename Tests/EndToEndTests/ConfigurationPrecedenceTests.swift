import SettleTesting
import Testing

/// What holds in the real program when a setting is given in several places.
@Suite struct ConfigurationPrecedenceTests {
    private let folder: ConfigurationFolder
    private let database: TestDatabase

    init() throws {
        folder = try ConfigurationFolder()
        database = try TestDatabase()
    }

    @Test func `a worker takes a flag before the environment, that before the file, and that before the default`()
        async throws
    {
        func started(_ flags: [String], _ environment: [String: String]) async throws -> String {
            let worker = try Program(
                ["worker"] + flags,
                environment: environment.merging(["DATABASE_URL": database.connectionString]) { $1 },
                directory: folder.path)
            #expect(await worker.waitFor("worker started"))
            let result = await worker.stop()
            #expect(result.exitCode == 0, "\(result.errors)")
            return result.errors.firstMatch(of: #/queue_capacity=(\d+)/#).map { String($0.1) } ?? ""
        }
        #expect(try await started([], [:]) == "2000")
        try folder.write("queue: {capacity: 20}")
        #expect(try await started([], [:]) == "20")
        #expect(try await started([], ["SETTLE_QUEUE_CAPACITY": ""]) == "20")
        #expect(try await started([], ["SETTLE_QUEUE_CAPACITY": "30"]) == "30")
        #expect(try await started(["--queue-size", "40"], ["SETTLE_QUEUE_CAPACITY": "30"]) == "40")
        try folder.write("queue: {capacity: 50}", to: "other.yaml")
        #expect(try await started(["--config", "other.yaml"], [:]) == "50")
        #expect(try await started([], ["SETTLE_CONFIG": "other.yaml"]) == "50")
        #expect(try await started(["--config", "settle.yaml"], ["SETTLE_CONFIG": "other.yaml"]) == "20")
    }

    @Test func `the database, the migrations and the log level may stand in the file`() async throws {
        try folder.write(
            """
            database:
              url: "\(database.connectionString)"
            migrations:
              directory: \(migrationsDirectory)
            log:
              level: debug
            """)
        let assets = try await folder.settle("asset add GEM --decimals 4")
        #expect(assets.exitCode == 0, "\(assets.errors)")
        #expect(try database.value("select count(*) from assets where symbol = 'GEM'") == "1")
        let worker = try Program(["worker"], environment: ["SETTLE_MIGRATIONS": ""], directory: folder.path)
        #expect(await worker.waitFor("worker started"))
        #expect(await worker.stop().exitCode == 0)
        let away = try await folder.settle(
            "asset list", ["DATABASE_URL": "postgres://127.0.0.1:1/away"])
        #expect(away.exitCode == 69, "the environment goes over the file: \(away.errors)")
        #expect(try database.violations() == [])
    }

    @Test func `an intake that is configured does not hinder settling once`() async throws {
        try folder.write("worker: {intake: 'tcp://127.0.0.1:*'}")
        let environment = ["DATABASE_URL": database.connectionString]
        let once = try await Program(["worker", "--once"], environment: environment, directory: folder.path).wait()
        #expect(once.exitCode == 0 && !once.errors.contains("event=listening"), "\(once.errors)")
        let worker = try Program(["worker"], environment: environment, directory: folder.path)
        #expect(await worker.waitFor("event=listening"))
        #expect(await worker.waitFor("worker started"))
        #expect(await worker.stop().exitCode == 0)
    }
}
