import Foundation
import SettleTesting
import Testing

/// Databases in which everything exists that the examples of the commands name: accounts 1001, 1002 and 1003, which is
/// empty, trades from 9001 on, and dead letters 1 to 30.
enum ExampleDatabase {
    private static let prepared = Task {
        let database = try TestDatabase()
        for line in ["asset add BTC --decimals 8", "asset add USDT --decimals 6", "market add BTC/USDT --tick 0.01"] {
            try await database.expecting(line)
        }
        for account in ["1001", "1002"] {
            try await database.expecting("deposit \(account) 100000 USDT --id fund-\(account)-usdt")
            try await database.expecting("deposit \(account) 50 BTC --id fund-\(account)-btc")
        }
        // An engine's output that nobody is to follow for now.
        try database.execute("insert into feed_state (stream, halted_for) values ('main', 'account 1001 is frozen')")
        try database.execute("insert into feed_gaps (stream, first_seq, last_seq) values ('main', 1, 9)")
        let settled = (9001...9010).map { tradeLine("\($0)", buyer: "1001", seller: "1002") }
        let parked = (1...30).map { tradeLine("\($0)", price: "90000", quantity: "2", buyer: "1001", seller: "1002") }
        // Account 1003 has nothing left.
        try await database.expecting("deposit 1003 1 USDT --id fund-1003")
        try await database.expecting("withdraw 1003 1 USDT --id spend-1003")
        _ = try await database.typing("trade submit", input: (settled + parked).joined())
        try await database.expecting("worker --once --log-level error")
        guard try database.value("select max(letter_no) from dead_letters") == "30" else {
            throw WaitedInVain(description: "the prepared letters")
        }
        // A later verification rests on this one.
        try await database.expecting("verify")
        return database
    }

    static func copy() async throws -> TestDatabase { try await TestDatabase(copyOf: prepared.value) }

    /// A simulated market wants to be alone.
    static func database(for example: CommandExample) async throws -> TestDatabase {
        example.leaf.name == "up" ? try TestDatabase() : try await copy()
    }
}

/// An engine with what the examples name: the market BTC/USDT, where account 1001 has an order, and two with money.
private final class ExampleEngine: Sendable {
    let orders = Endpoint()
    let feed = Endpoint()
    private let program: Program

    init() async throws {
        program = try Program([
            "engine", "--no-wal", "--orders", orders.name, "--feed", feed.name, "--log-level", "info",
        ])
        guard await program.waitFor("engine started") else { throw WaitedInVain(description: "an engine") }
        for line in [
            "asset add BTC --decimals 8", "asset add USDT --decimals 6",
            "asset add ETH --decimals 8", "market add BTC/USDT --tick 0.01 --lot 0.0001",
            "deposit 1001 100000 USDT --id open-1001",
            "deposit 1002 50 BTC --id open-1002", "order place 1001 buy 0.2 BTC/USDT --price 49500 --id resting-1",
        ] {
            let words = line.split(separator: " ").map(String.init) + ["--engine", orders.name]
            let result = try await Program(words).wait()
            guard result.exitCode == 0 else { throw WaitedInVain(description: "\(line): \(result.errors)") }
        }
    }

    deinit { program.signal(SIGTERM) }

    /// The place that an example names is this one's.
    func endpoint(for word: String, of leaf: CommandLeaf) -> String? {
        guard word.contains("://") else { return nil }
        return leaf.name == "feed tail" ? feed.name : orders.name
    }
}

extension CommandExample {
    /// How long a service is at work before it is asked to stop.
    private static let serviceTime = Duration.milliseconds(500)

    /// Runs the example as its reader would, in a folder with the files that it names and beside a worker if it waits
    /// for one. A service is asked to stop after a while.
    func run(on database: String, _ extra: [String] = []) async throws -> Program.Result {
        try await withFolder { folder in
            for file in words where file.hasSuffix(".ndjson") {
                let lines =
                    switch leaf.path[0] {
                    case "trade": tradeLine("9500", buyer: "1001", seller: "1002")
                    case "reconcile": (9001...9010).map { tradeLine("\($0)", buyer: "1001", seller: "1002") }.joined()
                    default: #"{"id":"file-1","account_id":"1001","asset":"USDT","amount":"1"}"#
                    }
                try write(Array(lines.utf8), to: "\(folder)/\(file)")
            }
            for file in words where file.hasSuffix(".json") {
                let line = tradeLine("23", buyer: "1001", seller: "1002")
                try write(Array(line.utf8), to: "\(folder)/\(file)")
            }
            for part in ["config", "docs"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
            }
            try write(Array("queue:\n  capacity: 5000\n".utf8), to: folder + "/config/settle.yaml")
            var environment = ["DATABASE_URL": database]
            if leaf.name == "audit check", let bundle = words.first(where: { $0.hasPrefix("audit-") }) {
                let export = ["export", "audit", "--day", String(bundle.dropFirst("audit-".count))]
                // Where no database is, there is no bundle either.
                try await Program(export, environment: environment, directory: folder).wait()
            }
            let engine = needsEngine ? try await ExampleEngine() : nil
            // A service of its own must not meet that of another test.
            let (orders, feed) = (Endpoint(), Endpoint())
            if leaf.name == "engine" {
                (environment["SETTLE_ENGINE"], environment["SETTLE_FEED"]) = (orders.name, feed.name)
            }
            if let engine {
                environment["SETTLE_ENGINE"] = engine.orders.name
                environment["SETTLE_FEED"] = engine.feed.name
            }
            let worker = words.contains("--wait") ? try Program(["worker"], environment: environment) : nil
            let program = try Program(
                try words.map { try engine?.endpoint(for: $0, of: leaf) ?? Self.withFreePort($0) } + extra,
                environment: environment, directory: folder)
            let isService = ["up", "worker", "engine"].contains(leaf.name) || leaf.path.last == "tail"
            if isService, !words.contains("--once") {
                try await eventually("it is at work") {
                    !program.isRunning || !(program.outputSoFar + program.errorsSoFar).isEmpty
                }
                try await Task.sleep(for: Self.serviceTime)
                program.signal(SIGTERM)
            }
            let result = await program.wait()
            worker?.signal(SIGTERM)
            await worker?.wait()
            return result
        }
    }

    /// Whether it talks to an engine, which then must be there.
    private var needsEngine: Bool {
        ["order", "book", "reconcile"].contains(leaf.path[0])
            || ["feed tail", "engine status", "engine forget"].contains(leaf.name) || words.contains("--engine")
    }

    /// An example's port may be somebody else's at the moment.
    private static func withFreePort(_ word: String) throws -> String {
        guard word.contains(#/127\.0\.0\.1:\d+/#) else { return word }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isBound else { throw WaitedInVain(description: "a free port") }
        return word.replacing(#/127\.0\.0\.1:\d+/#, with: "127.0.0.1:\(UInt16(bigEndian: address.sin_port))")
    }
}
