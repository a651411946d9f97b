import Foundation
import SettleTesting
import Testing

/// What a hang-up means to programs that run for long.
@Suite struct HangUpTests {
    @Test func `a worker whose own terminal is closed ends in order`() async throws {
        let database = try TestDatabase()
        // It gives the worker a terminal, and takes it away by its own end.
        let terminal = Process()
        terminal.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        terminal.arguments = ["--quiet", "--command", "exec '\(Program.path)' worker", "/dev/null"]
        terminal.environment = ProcessInfo.processInfo.environment.merging(
            ["DATABASE_URL": database.connectionString, "SETTLE_MIGRATIONS": migrationsDirectory]
        ) { $1 }
        let input = Pipe()
        terminal.standardInput = input
        terminal.standardOutput = FileHandle.nullDevice
        try terminal.run()
        try await eventually("the worker is registered") {
            try database.value("select count(*) from workers") == "1"
        }
        // A second round of its heartbeat: by then it listens to signals.
        let first = try database.value("select heartbeat_at from workers")
        try await eventually("the worker works") {
            try database.value("select heartbeat_at from workers") != first
        }
        kill(terminal.processIdentifier, SIGKILL)
        terminal.waitUntilExit()
        try await eventually("the worker has signed off") {
            try database.value("select count(*) from workers") == "0"
        }
        withExtendedLifetime(input) {}
    }

    @Test func `settle up takes a changed configuration over and goes on`() async throws {
        let folder = try ConfigurationFolder()
        let database = try TestDatabase()
        let up = try Program(
            ["up", "--rate", "50/s"], environment: ["DATABASE_URL": database.connectionString], directory: folder.path)
        #expect(await up.waitFor("settling simulated trades"))
        #expect(await up.waitFor("settled "), "it is at work")
        try folder.write("log: {level: debug}\n")
        up.signal(SIGHUP)
        #expect(await up.waitFor("event=\"configuration reloaded\" file=settle.yaml changed=1 need_restart=0"))
        let result = await up.stop(timeout: .seconds(60))
        #expect(result.exitCode == 0, "\(result.errors.suffix(500))")
        #expect(try database.violations() == [])
    }
}
