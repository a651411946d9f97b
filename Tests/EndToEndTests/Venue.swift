import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

/// An engine in a process of its own, and where to find it.
struct Venue {
    let folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
    let orders = Endpoint()
    let feed = Endpoint()

    /// Starts the engine, with its log in the folder unless something else is said.
    func start(_ arguments: String...) async throws -> Program {
        try await start(arguments.isEmpty ? ["--wal", folder] : arguments)
    }

    func start(_ arguments: [String]) async throws -> Program {
        let engine = try Program(["engine", "--orders", orders.name, "--feed", feed.name] + arguments)
        guard await engine.waitFor("engine started") else {
            throw WaitedInVain(description: "the engine did not start: \(await engine.wait(timeout: .zero).errors)")
        }
        return engine
    }

    func removeFolder() {
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client(timeout: Duration = .seconds(10)) throws -> EntryClient {
        try EntryClient(endpoint: orders.name, timeout: timeout)
    }

    func answer(_ query: EngineQuery = .status) async throws -> EngineAnswer {
        let json = try await client().query(Array(JSONEncoder().encode(query)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(json))
    }

    /// Runs a command that knows where the engine is.
    func typing(_ line: String, on database: TestDatabase? = nil) async throws -> Program.Result {
        var environment = ["SETTLE_ENGINE": orders.name, "SETTLE_FEED": feed.name]
        environment["DATABASE_URL"] = database?.connectionString
        return try await Program(line.split(separator: " ").map(String.init), environment: environment).wait()
    }

    /// A worker that follows the feed, and whose lease is soon another's when it is silent.
    func worker(on database: TestDatabase) async throws -> Program {
        try await Program.worker(
            on: database, ["--feed", feed.name],
            environment: [
                "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "500", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "100",
            ])
    }

    // MARK: What came of it

    /// The engine and the books are at the same place, and say the same of every account.
    func expectEqual(_ database: TestDatabase, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = try await answer()
        try await eventually("all is settled", timeout: .seconds(300)) {
            try database.watermark() == end.sequence
        }
        #expect(
            try database.value("select encode(hash, 'hex') from feed_state") == end.hash,
            sourceLocation: sourceLocation)
        #expect(try database.trades(.settled) == end.trades, sourceLocation: sourceLocation)
        #expect(try database.count("dead_letters") == 0, sourceLocation: sourceLocation)
        for account in OrderFlow.accounts {
            for asset in OrderFlow.assets {
                let there = try await answer(.balance(account, asset)).balance
                let here = try database.value(
                    """
                    select available || ' ' || frozen from account_balances
                     where account = '\(account)' and asset = '\(asset)'
                    """)
                #expect(here == there.map { "\($0.available) \($0.held)" }, sourceLocation: sourceLocation)
            }
        }
        let reconciled = try await typing("reconcile", on: database)
        #expect(reconciled.exitCode == 0, "\(reconciled)", sourceLocation: sourceLocation)
        #expect(try database.violations() == [], sourceLocation: sourceLocation)
    }
}
