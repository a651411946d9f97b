import Foundation
import SettleTesting
import Testing

extension EngineProcesses {
    /// `settle up` and the engine in it: whatever ends the one or the other, engine and books stay together.
    @Suite(.timeLimit(.minutes(5))) struct UpEngineTests {
        private func json(_ result: Program.Result) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        @Test func `killed twice, it goes on from the same engine and the same books`() async throws {
            let directory = try FreshDirectory()
            for round in 1...2 {
                let up = try Program(["up", "--rate", "1000/s"], directory: directory.path)
                #expect(await up.waitFor("rate"))
                // Somewhere in the middle of its work, and each time elsewhere.
                try await Task.sleep(for: .milliseconds(137 * round))
                up.signal(SIGKILL)
                _ = await up.wait()
            }
            let result = try await Program.run("up", "--trades", "300", "--json", directory: directory.path)
            #expect(result.exitCode == 0, "\(result.errors)")
            let document = try json(result)
            let engine = try #require(document["engine"] as? [String: Any])
            #expect(engine["differences"] as? Int == 0 && engine["balances"] as? Int == 300, "\(engine)")
            #expect(engine["sequence"] as? Int == engine["watermark"] as? Int)
            // The engine numbers its trades from 1: none is missing in the books, and none there twice.
            let verified = try await Program.run("verify", "--json", directory: directory.path)
            #expect(verified.exitCode == 0, "\(verified.output)")
            let settled = try #require(try json(verified)["settled_trades"] as? Int)
            for (trade, code) in [("1", 0), ("\(settled)", 0), ("\(settled + 1)", 5)] {
                let shown = try await Program.run("trade", "show", trade, directory: directory.path)
                #expect(shown.exitCode == Int32(code), "trade \(trade): \(shown.errors)")
            }
            let status = try await Program.run("feed", "status", "--json", directory: directory.path)
            #expect(status.output.contains("\"up-"), "\(status.output)")
            #expect(try directory.violations() == [])
        }

        @Test func `books that were filled without an engine get one with accounts of its own`() async throws {
            let directory = try FreshDirectory()
            for line in [
                "asset add BTC --decimals 8", "asset add ETH --decimals 18", "asset add USDT --decimals 6",
                "market add BTC/USDT", "market add ETH/USDT", "deposit sim-1 1000 BTC --id endow-sim-1-BTC",
                "deposit sim-100 50000000 USDT --id endow-sim-100-USDT",
                "deposit sim-poor 1 USDT --id endow-sim-poor-USDT",
            ] {
                let words = line.split(separator: " ").map(String.init)
                #expect(try await Program(words, directory: directory.path).wait().exitCode == 0, "\(line)")
            }
            for _ in 1...2 {
                let result = try await Program.run("up", "--trades", "100", directory: directory.path)
                #expect(result.exitCode == 0, "\(result.errors)")
                #expect(result.output.contains("The engine agrees: 300 balances of 100 accounts"), "\(result.output)")
            }
            let accounts = try await Program.run("account", "list", "--limit", "500", directory: directory.path)
            #expect(accounts.output.contains(#/sim-\w+-100 /#), "\(accounts.output)")
            let balance = try await Program.run("balance", "sim-1", "-o", "jsonl", directory: directory.path)
            #expect(balance.lines.count == 1 && balance.output.contains(#""available":"1000.00000000""#))
            #expect(try directory.violations() == [])
        }

        @Test func `what moves the money of an engine's account behind its back is found`() async throws {
            let database = try TestDatabase()
            let folder = try FreshDirectory()
            func up() async throws -> Program.Result {
                try await Program.run(on: database, in: folder, "up", "--trades", "50")
            }
            #expect(try await up().exitCode == 0)
            let trade =
                #"{"id":"mine","market":"BTC/USDT","price":"1","quantity":"2","buyer_id":"sim-1","seller_id":"sim-2"}"#
            _ = try await database.typing("trade submit", input: trade + "\n")
            try await database.expecting("worker --once")
            let result = try await up()
            #expect(result.exitCode == 3, "\(result.errors)")
            #expect(result.errors.contains("settle: the engine and the books differ\n"))
            #expect(result.output.contains("The engine does not agree: 4 of 300 balances differ at record "))
            #expect(
                result.output.contains(#/\n  sim-1 has [\d.]+ BTC and 0\.00000000 held in the engine, [\d.]+ and /#))
            #expect(try database.violations() == [])
        }

        @Test func `what a customer lacks who is not simulated is not proposed to be granted`() async throws {
            let database = try TestDatabase()
            try database.addMarket("GEM/EUR")
            try await database.expecting("deposit alice 1 EUR --id d1")
            try await database.expecting("deposit bob 5 GEM --id d2")
            _ = try await database.typing("trade submit", input: tradeLine("5", price: "90000", market: "GEM/EUR"))
            try await database.expecting("worker --once --log-level error")
            let result = try await Program.run(
                on: database, in: try FreshDirectory(), "up", "--yes", "--trades", "20")
            #expect(result.exitCode == 0, "\(result)")
            #expect(result.output.contains(" dlq show 1\n"), "\(result.output)")
            #expect(!result.output.contains("account credit") && !result.output.contains("dlq retry"))
            #expect(try database.violations() == [])
        }

        @Test func `books whose engine is elsewhere, or is another one, are left alone`() async throws {
            let database = try TestDatabase()
            let (home, elsewhere) = (try FreshDirectory(), try FreshDirectory())
            #expect(try await Program.run(on: database, in: home, "up", "--trades", "20").exitCode == 0)
            let lost = try await Program.run(on: database, in: elsewhere, "up", "--trades", "20")
            #expect(lost.exitCode == 1)
            #expect(
                lost.errors.contains(
                    #/^settle: the engine that these books follow kept what it knows in \.settle/engine/up-\w+, /#
                ),
                "\(lost.errors)")

            let other = try TestDatabase()
            try other.execute("insert into feed_state (stream) values ('main')")
            let refused = try await Program.run(on: other, in: home, "up", "--trades", "20")
            #expect(refused.exitCode == 1)
            #expect(
                refused.errors.hasPrefix(
                    "settle: this database follows an engine of yours, its output is called 'main'"),
                "\(refused.errors)")
            #expect(try other.value("select count(*) from accounts where kind = 'customer'") == "0")

            try other.execute("update feed_state set stream = 'up-1', halted_for = 'account sim-1 is frozen'")
            try FileManager.default.createDirectory(
                atPath: home.path + "/.settle/engine/up-1", withIntermediateDirectories: true)
            let halted = try await Program.run(on: other, in: home, "up", "--trades", "20")
            #expect(halted.exitCode == 1)
            #expect(
                halted.errors.hasSuffix(
                    "account sim-1 is frozen. When the cause is mended: 'settle feed resume up-1 --reason …'\n"),
                "\(halted.errors)")
        }

        @Test func `orders of others are taken beside the market's`() async throws {
            let database = try TestDatabase()
            let folder = try FreshDirectory()
            let up = try Program(
                ["up", "--rate", "100/s"], environment: ["DATABASE_URL": database.connectionString],
                directory: folder.path)
            #expect(await up.waitFor("rate"))
            let second = try await Program.run(on: database, in: folder, "up", "--trades", "20")
            #expect(second.exitCode == 1)
            #expect(second.errors.contains("settle: another 'settle up' is at work on these books"), "\(second.errors)")
            let said = up.errorsSoFar
            let engine = try #require(said.firstMatch(of: #/orders are taken at (tcp:\S+);/#)?.1, "\(said)")
            for line in [
                "deposit alice 1000 USDT --id alice-1", "order place alice buy 0.01 BTC/USDT --price 1000 --id low-1",
                "order cancel alice --id low-1", "order place alice buy 0.001 BTC/USDT --budget 100",
            ] {
                try await database.expecting("\(line) --engine \(engine)")
            }
            #expect(try await database.expecting("book BTC/USDT --engine \(engine)").contains("bid"))
            let result = await up.stop(timeout: .seconds(60))
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.output.contains("The engine agrees"))
            #expect(try database.available("alice", "BTC") == "0.00099900")
            #expect(try database.violations() == [])
        }

        @Test func `what is not settled because the queue is paused waits in the engine's log`() async throws {
            let database = try TestDatabase()
            let folder = try FreshDirectory()
            #expect(try await Program.run(on: database, in: folder, "up", "--trades", "20").exitCode == 0)
            try await database.expecting("queue pause --reason lunch")
            let paused = try await Program.run(on: database, in: folder, "up", "--trades", "40")
            #expect(paused.exitCode == 0, "\(paused.errors)")
            #expect(
                paused.output.contains(
                    #/\n[\d,]+ records wait in the engine's log; the next 'settle up' here settles /#))
            try await database.expecting("queue resume")
            let result = try await Program.run(on: database, in: folder, "up", "--trades", "20")
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.output.contains("The engine agrees"))
            #expect(try database.trades(.settled) == 80)
            #expect(try database.violations() == [])
        }
    }
}

extension Program {
    fileprivate static func run(
        on database: TestDatabase, in directory: FreshDirectory, _ arguments: String...
    ) async throws -> Result {
        try await Program(
            arguments, environment: ["DATABASE_URL": database.connectionString], directory: directory.path
        ).wait()
    }
}
