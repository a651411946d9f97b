import Foundation
import SettleTesting
import Testing

/// `settle deposit`, `settle withdraw` and `settle balance`, one operation at a time.
@Suite struct MoneyCommandTests {
    @Test func `money comes in, is shown and goes out, once for each key`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        #expect(
            try await database.expecting("deposit alice 250.50 USDT --id d1")
                == "deposit d1: 250.500000 USDT, account alice\n")
        #expect(
            try await database.expecting("deposit alice 250.5 USDT --id d1")
                == "deposit d1: 250.500000 USDT, account alice (was there already; nothing moved)\n")
        #expect(
            try await database.expecting("withdraw alice 50 USDT --id w1 --json") == """
                {
                  "id": "w1",
                  "kind": "withdrawal",
                  "account": "alice",
                  "asset": "USDT",
                  "amount": "50.000000",
                  "outcome": "applied"
                }

                """)
        #expect(try await database.expecting("withdraw alice 50 USDT --id w1 --json").contains("\"duplicate\""))
        #expect(
            try await database.expecting("balance alice")
                == "ASSET   AVAILABLE    FROZEN\nUSDT   200.500000  0.000000\n")
        #expect(
            try await database.expecting("balance alice -o jsonl") == """
                {"account":"alice","asset":"USDT","available":"200.500000","frozen":"0.000000","credit_line":"0.000000"}

                """)
        #expect(try await database.expecting("balance alice BTC -o jsonl").contains("\"available\":\"0.00000000\""))
        #expect(try await database.expecting("balance world -o jsonl").contains("\"available\":\"-200.500000\""))
        #expect(try database.violations() == [])
    }

    @Test func `the same key with other content is refused and moves nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let before = try database.contents()
        for line in [
            "deposit alice 1001 USDT --id fund-alice", "deposit bob 1000 USDT --id fund-alice",
            "deposit alice 1000 BTC --id fund-alice", "withdraw alice 1000 USDT --id fund-alice",
            // The key is what is wrong, whatever else would be.
            "withdraw alice 5000 USDT --id fund-alice", "withdraw nobody 1 USDT --id fund-alice",
        ] {
            for dryRun in ["", " --dry-run"] {
                let result = try await database.typing(line + dryRun)
                #expect(result.exitCode == 1, "\(line)")
                #expect(
                    result.errors
                        == "settle: id fund-alice was used before, for a deposit of 1000.000000 USDT, account alice; give "
                        + "another '--id'\n", "\(line)")
            }
        }
        #expect(try database.contents() == before)
        #expect(try database.violations() == [])
    }

    static let badAmounts = [
        "1e5", "12abc", "-5", "0.0000001", "123456789012345678901234567890123456789",
        "99999999999999999999999999999999999999", "NaN", "", " 1", "+1", ".5", "5.", "0", "-0", "0.000", "1,5", "１",
        "0x10",
        "∞", "1 000", "1_000", "--",
    ]

    @Test func `a malformed amount is a usage error and changes nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let before = try database.contents()
        for (index, amount) in Self.badAmounts.enumerated() {
            let command = index % 2 == 0 ? "deposit" : "withdraw"
            let result = try await database.running([command, "alice", amount, "USDT", "--id", "k"])
            #expect(result.exitCode == 64, "\(command) '\(amount)': \(result.errors)")
            #expect(result.errors.hasPrefix("settle: "))
            #expect(result.output == "")
        }
        let long = try await database.typing("deposit alice \(String(repeating: "9", count: 41)) USDT --id k")
        #expect(long.errors.contains("an amount has at most 38 digits, 36 of them behind the point"))
        #expect(try database.contents() == before)
    }

    static let refusals: [(words: [String], code: Int32, message: String)] = [
        (
            ["deposit", "alice", "1", "NOPE", "--id", "k"], 5,
            "there is no asset NOPE; 'settle asset list' shows those there are"
        ),
        (
            ["withdraw", "nobody", "1", "USDT", "--id", "k"], 5,
            "there is no account nobody; 'settle account list' shows those there are"
        ),
        (
            ["balance", "nobody"], 5, "there is no account nobody; 'settle account list' shows those there are"
        ),
        (["balance", "alice", "NOPE"], 5, "there is no asset NOPE; 'settle asset list' shows those there are"),
        (
            ["balance", "alice", "USD"], 5,
            "there is no asset USD. Did you mean 'USDT'? 'settle asset list' shows those there are"
        ),
        (["balance"], 64, "missing argument ACCOUNT for 'balance'. Try 'settle balance --help'."),
        (
            ["withdraw", "alice", "1000.000001", "USDT", "--id", "k"], 1,
            "account alice has 1000.000000 USDT available, needs 1000.000001 USDT: 0.000001 USDT missing. "
                + "'settle balance alice' shows what there is"
        ),
        (
            ["deposit", "alice", "1", "USDT"], 64,
            "missing option '--id KEY' for 'deposit': a name of your choosing, by which a repetition is known. "
                + "Try 'settle deposit --help'."
        ),
        (
            ["deposit", "alice", "1"], 64,
            "give ACCOUNT AMOUNT ASSET and '--id KEY', or '--file FILE' alone. Try 'settle deposit --help'."
        ),
        (
            ["deposit", "alice", "1", "USDT", "--id", ""], 64,
            "invalid value '' for '--id': an id has 1 to 64 bytes and no control characters. Try 'settle deposit --help'."
        ),
        (
            ["deposit", "a\u{1B}[31mb", "1", "USDT", "--id", "k"], 64,
            #"invalid value 'a\u{1B}[31mb' for 'ACCOUNT': an id has 1 to 64 bytes and no control characters. "#
                + "Try 'settle deposit --help'."
        ),
        (
            ["deposit", "--fil", "x"], 64,
            "unknown option '--fil' for 'deposit'. Did you mean '--file'? Try 'settle deposit --help'."
        ),
    ]

    @Test func `what cannot be done says why and changes nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let before = try database.contents()
        for (words, code, message) in Self.refusals {
            let result = try await database.running(words)
            #expect(result.exitCode == code, "\(words)")
            #expect(result.errors == "settle: \(message)\n")
            #expect(result.output == "")
        }
        #expect(try database.contents() == before)
        #expect(try database.violations() == [])
    }

    @Test func `a dry run says what would happen and changes nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let before = try database.contents()
        #expect(
            try await database.expecting("deposit carol 5 USDT --id k --dry-run")
                == "deposit k: 5.000000 USDT, account carol (would be carried out)\n")
        #expect(
            try await database.expecting("withdraw alice 5 USDT --id k --dry-run --json").contains("\"would_apply\""))
        #expect(try await database.typing("withdraw alice 5000 USDT --id k --dry-run").exitCode == 1)
        #expect(try await database.expecting("deposit alice 1000 USDT --id fund-alice --dry-run").contains("already"))
        #expect(try database.contents() == before)
    }

    @Test func `frozen accounts take deposits but give nothing, closed ones do neither`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try database.execute("update accounts set status = 'frozen' where id = 'alice'")
        try database.execute("update accounts set status = 'closed' where id = 'bob'")
        try await database.expecting("deposit alice 1 USDT --id d1")
        let frozen = try await database.typing("withdraw alice 1 USDT --id w1")
        #expect(frozen.exitCode == 1)
        #expect(
            frozen.errors
                == "settle: account alice is frozen; 'settle account show alice' says since when and why\n")
        for line in ["withdraw bob 1 BTC --id w2", "deposit bob 1 BTC --id d2"] {
            let closed = try await database.typing(line)
            #expect(closed.exitCode == 1)
            #expect(
                closed.errors
                    == "settle: account bob is closed; 'settle account show bob' says since when and why\n")
        }
        #expect(try await database.expecting("balance bob -o jsonl").contains("\"available\":\"10.00000000\""))
        #expect(try database.violations() == [])
    }

    @Test(arguments: ["deposit", "withdraw"])
    func `two processes with the same key move the money once`(command: String) async throws {
        let database = try TestDatabase()
        try await database.fund()
        let words = [command, "alice", "7", "USDT", "--id", "race", "-o", "jsonl"]
        let racers = try (0..<2).map { _ in
            try Program(words, environment: ["DATABASE_URL": database.connectionString])
        }
        var outcomes: [String] = []
        for racer in racers {
            let result = await racer.wait()
            #expect(result.exitCode == 0, "\(result.errors)")
            outcomes.append(result.output.contains("\"applied\"") ? "applied" : "duplicate")
        }
        #expect(outcomes.sorted() == ["applied", "duplicate"])
        #expect(try database.available("alice", "USDT") == (command == "deposit" ? "1007.000000" : "993.000000"))
        #expect(try database.violations() == [])
    }

    @Test func `an asset of 18 decimals holds a billion units to the last digit`() async throws {
        let database = try TestDatabase()
        try database.addMarket("WEI/GOLD", decimals: (18, 18))
        try await database.expecting("deposit alice 1000000000.000000000000000001 GOLD --id d1")
        try await database.expecting("deposit bob 1000000000 WEI --id d2")
        let line = tradeLine("1", price: "0.999999999999999999", quantity: "999999999", market: "WEI/GOLD")
        #expect(try await database.typing("trade submit", input: line).exitCode == 0)
        try await database.expecting("worker --once --log-level error")
        #expect(try await database.expecting("balance bob GOLD -o jsonl").contains("\"999999998.999999999000000001\""))
        #expect(try await database.expecting("balance alice GOLD -o jsonl").contains("\"1.000000001000000000\""))
        #expect(try database.violations() == [])
    }

    @Test func `a balance beyond 38 digits is refused`() async throws {
        let database = try TestDatabase()
        try database.addMarket("WEI/GOLD", decimals: (18, 0))
        let most = String(repeating: "9", count: 38)
        try await database.expecting("deposit alice \(most) GOLD --id d1")
        let result = try await database.typing("deposit alice 1 GOLD --id d2")
        #expect(result.exitCode == 1)
        #expect(result.errors == "settle: the balance would have more than 38 digits\n")
        try await database.expecting("withdraw alice \(most) GOLD --id w1")
        #expect(try database.violations() == [])
    }

    /// Ids that mean something to SQL, patterns, shells, terminals and readers.
    static let hostileIDs = [
        "'; drop table trades; --", "100%_\\", "\"quoted\"", "$(reboot)`id`", "аlice", "e\u{301}", "é", "a\u{202E}b",
        "a\u{9B}31mb", "-", "名前 😀", String(repeating: "x", count: 64), "NULL", "{}", "\u{FEFF}bom",
    ]

    @Test func `hostile ids go in and come out as they are, and never raw to a terminal`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        for (index, id) in Self.hostileIDs.enumerated() {
            let deposit = try await database.running([
                "deposit", "--id", "\(index) \(id)".prefixOfBytes(64), "--", id, "1", "USDT",
            ])
            #expect(deposit.exitCode == 0, "\(id): \(deposit.errors)")
            let balance = try await database.running(["balance", "-o", "jsonl", "--", id])
            #expect(balance.exitCode == 0, "\(id): \(balance.errors)")
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(balance.output.utf8)) as? [String: String])
            #expect(object["account"].map { Array($0.utf8) } == Array(id.utf8))
            for text in [deposit.output, balance.output] {
                #expect(!text.unicodeScalars.contains { "\u{1B}\u{9B}\u{202E}\u{FEFF}".unicodeScalars.contains($0) })
            }
            let absent = try await database.running([
                "withdraw", "--id", "k", "--", String(("?" + id).prefix(20)), "1", "USDT",
            ])
            #expect(absent.exitCode == 5)
            #expect(
                !absent.errors.unicodeScalars.contains { "\u{1B}\u{9B}\u{202E}\u{FEFF}".unicodeScalars.contains($0) })
        }
        #expect(
            try database.value("select count(*) from accounts where kind = 'customer'") == "\(Self.hostileIDs.count)")
        #expect(try database.violations() == [])
    }

    @Test func `nobody is given the name of the house or of the world`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        for name in ["house", "world", "house/7"] {
            let refused = try await database.typing("deposit \(name) 1 USDT --id k1")
            #expect(refused.exitCode == 1)
            #expect(
                refused.errors
                    == "settle: '\(name)' cannot be a customer's account: 'house' is the exchange itself and 'world' what "
                    + "lies outside. Give another name\n")
        }
        let file = try await database.typing(
            "deposit --file -",
            input: #"{"id":"f1","account_id":"world/1","asset":"USDT","amount":"1"}"# + "\n"
                + #"{"id":"f2","account_id":"warehouse","asset":"USDT","amount":"1"}"# + "\n")
        #expect(file.output == "1 deposit carried out, 0 were there already, 1 refused\n")
        #expect(file.errors.hasPrefix("line 1: 'world/1' cannot be a customer's account"))
        #expect(try database.violations() == [])
    }
}

extension String {
    fileprivate func prefixOfBytes(_ count: Int) -> String {
        var text = self
        while text.utf8.count > count { text.removeLast() }
        return text
    }
}
