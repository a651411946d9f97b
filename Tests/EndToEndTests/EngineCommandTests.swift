import Foundation
import SettleTesting
import Testing

/// An engine from the command line: markets, money and orders go in, and the worker settles what comes of them.
@Suite struct EngineCommandTests {
    private let orders = Endpoint()
    private let feed = Endpoint()

    private func engine(_ arguments: String...) async throws -> Program {
        let engine = try Program(["engine", "--orders", orders.name, "--feed", feed.name] + arguments)
        guard await engine.waitFor("engine started") else {
            throw WaitedInVain(description: "the engine: \(await engine.wait(timeout: .zero).errors)")
        }
        return engine
    }

    private func typing(_ line: String) async throws -> Program.Result {
        try await Program(
            line.split(separator: " ").map(String.init),
            environment: ["SETTLE_ENGINE": orders.name, "SETTLE_FEED": feed.name]
        ).wait()
    }

    @discardableResult
    private func expecting(_ line: String, _ location: SourceLocation = #_sourceLocation) async throws -> String {
        let result = try await typing(line)
        #expect(result.exitCode == 0, "settle \(line): \(result.errors)", sourceLocation: location)
        return result.output
    }

    private func refused(_ line: String, _ location: SourceLocation = #_sourceLocation) async throws -> String {
        let result = try await typing(line)
        #expect(result.exitCode == 1 && result.output == "", "settle \(line): \(result)", sourceLocation: location)
        return result.errors
    }

    private func open() async throws {
        for (asset, decimals) in [("GEM", 4), ("EUR", 2)] {
            try await expecting("asset add \(asset) --decimals \(decimals) --engine \(orders.name)")
        }
        try await expecting(
            "market add GEM/EUR --tick 0.01 --lot 0.01 --taker-fee 1000 --engine \(orders.name)")
    }

    @Test func `orders meet, and everything that came of them is settled`() async throws {
        // given
        let database = try TestDatabase()
        let folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let engine = try await engine("--wal", folder)
        try await open()

        // when
        #expect(try await expecting("deposit alice 100.00 EUR --id dep-1") == "deposit dep-1: 100 EUR, account alice\n")
        #expect(
            try await expecting("deposit alice 100.00 EUR --id dep-1")
                == "deposit dep-1: 100 EUR, account alice (was there already; nothing moved)\n")
        try await expecting("deposit bob 5 GEM --id dep-2")
        #expect(
            try await expecting("order place bob sell 3 GEM/EUR --price 20.00 --id s-1")
                == "order 7 is new\n")
        #expect(
            try await expecting("order place alice buy 1 GEM/EUR --price 21.00")
                == "order 8 is filled, 0.0000 left\n  trade 1: 1.0000 at 20.00, fee 0.0010\n")
        #expect(
            try await expecting("order amend bob --id s-1 --quantity 2.5 --json").contains("\"order\": 7"))
        try await expecting("order place alice buy 1 GEM/EUR --price 19.50 --id b-2")
        let book = try await expecting("book GEM/EUR")
        #expect(
            book == """
                SIDE  PRICE  QUANTITY  ORDERS
                ask   20.00    1.5000  1
                bid   19.50    1.0000  1

                """)
        try await expecting("order cancel alice --id b-2")
        try await expecting("withdraw bob 1 GEM --id wd-1")

        // then
        let worker = try await Program.worker(on: database, ["--feed", feed.name])
        try await eventually("it is settled") {
            try database.value("select coalesce(max(watermark), 0) from feed_state") == "12"
        }
        #expect(try database.available("alice", "EUR") == "80.00")
        #expect(try database.available("alice", "GEM") == "0.9990")
        #expect(try database.available("bob", "EUR") == "20.00")
        #expect(try database.available("bob", "GEM") == "1.5000")
        #expect(
            try database.value("select frozen from account_balances where account = 'bob' and asset = 'GEM'")
                == "1.5000")
        #expect(try database.value("select count(*) from dead_letters") == "0")
        let status = try await database.expecting("feed status")
        #expect(status.contains("main") && status.contains("12") && status.contains("followed"))
        let direct = try await database.typing("deposit alice 1 EUR --id direct")
        #expect(direct.exitCode == 1 && direct.errors.contains("in the hands of an engine"))

        let tail = try await expecting("feed tail --from 7 --limit 2").split(separator: "\n")
        let records = try tail.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(records.map { $0["sequence"] as? String } == ["7", "8"])
        #expect(records.allSatisfy { $0["outcome"] as? String == "accepted" })
        #expect(try await expecting("feed tail --from 1").split(separator: "\n").count == 12)
        for program in [worker, engine] { #expect(await program.stop().exitCode == 0) }
        #expect(try database.violations() == [])
    }

    @Test func `what the engine refuses changes nothing and says why`() async throws {
        let engine = try await engine("--no-wal")
        try await open()
        try await expecting("deposit alice 100 EUR --id dep-1")
        try await expecting("order place alice buy 1 GEM/EUR --price 20 --id b-1")
        let before = try await expecting("book GEM/EUR --json")
        for (line, reason) in [
            ("deposit alice 5 EUR --id dep-1", "the id was used before, for something else"),
            ("deposit alice 5 GOLD --id dep-2", "it has no such asset"),
            ("withdraw alice 500 EUR --id wd-1", "the account has too little available"),
            ("order place alice buy 1 GEM/EUR --price 20 --id b-1", "placed an order under this id before"),
            ("order place alice buy 1 GEM/EUR --price 20.001", "no multiple of the market's tick"),
            ("order place alice sell 1 GEM/EUR --price 20", "the account has too little available"),
            ("order place nobody buy 1 GEM/EUR --price 20", "it has no such account"),
            ("order cancel bob --id b-1", "no such"), ("order cancel alice 4711", "no such order"),
            ("order amend alice --id b-1 --quantity 0.001", "no multiple of the market's lot"),
            ("asset add EUR --decimals 3 --engine \(orders.name)", "listed already"),
        ] {
            #expect(try await refused(line).contains(reason), "\(line)")
        }
        let byName = try await refused("deposit alice 5 GOLD --id dep-2 --engine \(orders.name)")
        #expect(byName == "settle: the engine at \(orders.name) refuses it: it has no such asset\n")
        let byVariable = try await refused("deposit alice 5 GOLD --id dep-2")
        #expect(
            byVariable
                == "settle: the engine at \(orders.name) (named by SETTLE_ENGINE) refuses it: it has no such asset\n")
        func lines(_ json: String) -> [Substring] { json.split(separator: "\n").filter { !$0.contains("sequence") } }
        #expect(try await lines(expecting("book GEM/EUR --json")) == lines(before))
        let unknown = try await typing("book GEM/USD")
        #expect(unknown.exitCode == 5 && unknown.errors.contains("no market GEM/USD"))
        #expect(await engine.stop().exitCode == 0)
    }

    @Test func `without an engine the commands say so`() async throws {
        for line in ["book GEM/EUR", "order cancel alice 1", "deposit alice 1 EUR --id d-1", "feed tail --from 1"] {
            let result = try await typing(line)
            #expect(result.exitCode == 69 && result.errors.contains("does not answer. Is it running?"), "\(line)")
        }
    }

    @Test(arguments: [
        ("engine", "name a folder with '--wal'"), ("engine --wal x --no-wal", "'--no-wal' contradicts '--wal'"),
        ("order place alice hold 1 GEM/EUR --price 1", "expected buy or sell"),
        ("order place alice buy 1 GEM/EUR", "a buy needs '--price'"),
        ("order place alice sell 1 GEM/EUR --budget 5", "'--budget' is for a buy"),
        ("order cancel alice", "name the order by ORDER"), ("order amend alice 1", "say what is to change"),
        ("book GEM/EUR --levels 0", "a whole number from 1 to 100"), ("feed tail --from 0", "from 1 on"),
        ("market add GEM/EUR --maker-fee 1", "'--maker-fee' needs '--engine'"),
    ])
    func `a mistyped line is one line of advice`(line: String, message: String) async throws {
        let result = try await typing(line)
        #expect(result.exitCode == 64 && result.errors.contains(message), "\(result.errors)")
    }

    @Test func `an engine that finds its log damaged does not start`() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try await engine("--wal", folder)
        try await open()
        for number in 1...50 { try await expecting("deposit alice 1 EUR --id dep-\(number)") }
        first.signal(SIGKILL)
        await first.wait()

        let file = "\(folder)/commands/00000000000000000001.log"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: file))
        let second = try await Program(["engine", "--orders", orders.name, "--feed", feed.name, "--wal", folder]).wait()
        #expect(second.exitCode == 1, "\(second)")
        #expect(second.errors.contains(file) && second.errors.contains("is damaged at byte"), "\(second.errors)")
    }

    @Test func `everybody may listen to the markets, and hears of nobody's orders`() async throws {
        // given
        let market = Endpoint()
        let engine = try await engine("--no-wal", "--market-data", market.name)
        try await open()
        try await expecting("deposit alice 100.00 EUR --id dep-1")
        try await expecting("deposit bob 5 GEM --id dep-2")
        let listener = try Program(["market", "watch", "GEM/EUR", "--market-data", market.name])
        // It hears from the moment when both have found each other; then the books come by themselves.
        try await expecting("order place bob sell 5 GEM/EUR --price 10.00")
        try await expecting("order place alice buy 1 GEM/EUR --price 9.50")
        #expect(await listener.waitFor(#""type":"book""#))

        // when
        try await expecting("order place alice buy 2 GEM/EUR --price 10.00")

        // then
        #expect(await listener.waitFor(#""type":"ticker""#))
        #expect(await listener.waitFor(#"[["10.00","3.0000"]]"#))
        listener.signal(SIGTERM)
        let heard = await listener.wait()
        #expect(heard.exitCode == 0)
        let messages = try heard.lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let trade = try #require(messages.first { $0["type"] as? String == "trade" })
        #expect(
            Set(trade.keys)
                == ["type", "market", "sequence", "trade", "price", "quantity", "taker_side", "time"])
        #expect(trade["price"] as? String == "10.00" && trade["quantity"] as? String == "2.0000")
        #expect(trade["taker_side"] as? String == "buy" && trade["trade"] as? String == "1")
        let ticker = try #require(messages.first { $0["type"] as? String == "ticker" })
        #expect(ticker["volume"] as? String == "2.0000" && ticker["quote_volume"] as? String == "20.00")
        #expect(ticker["last"] as? String == "10.00" && ticker["trades"] as? String == "1")
        #expect(!heard.output.contains("alice") && !heard.output.contains("bob"))
        // Each book follows the one heard before, or has all levels.
        var sequence: String?
        for book in messages where book["type"] as? String == "book" {
            if let previous = book["previous"] as? String, sequence != nil { #expect(previous == sequence) }
            sequence = book["sequence"] as? String
        }
        #expect(sequence != nil)
        #expect(await engine.stop().exitCode == 0)
    }
}
