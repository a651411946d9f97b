import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

/// An engine in a process of its own, and where to find it.
struct Venue {
    let folder: String
    let orders = Endpoint()
    let feed = Endpoint()

    init() {
        folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
    }

    /// Starts the engine; its log is in the folder, if there is one.
    func start(withLog: Bool = true) async throws -> Program {
        let engine = try Program(
            ["engine", "--orders", orders.name, "--feed", feed.name] + (withLog ? ["--wal", folder] : ["--no-wal"]))
        guard await engine.waitFor("engine started") else {
            throw WaitedInVain(description: "the engine did not start: \(await engine.wait(timeout: .zero).errors)")
        }
        return engine
    }

    func removeFolder() {
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client() throws -> EntryClient { try EntryClient(endpoint: orders.name) }

    func answer(_ query: EngineQuery) async throws -> EngineAnswer {
        let json = try await client().query(Array(JSONEncoder().encode(query)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(json))
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

    static func watermark(_ database: TestDatabase) throws -> Int64 {
        Int64(try database.value("select coalesce(max(watermark), 0) from feed_state")) ?? -1
    }

    /// The engine and the books are at the same place, and say the same of every account.
    func expectEqual(_ database: TestDatabase, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = try await answer(.status)
        try await eventually("all is settled", timeout: .seconds(300)) {
            try Self.watermark(database) == end.sequence
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
        #expect(try database.violations() == [], sourceLocation: sourceLocation)
    }
}
