import Foundation
import SettleTesting
import Testing

/// `settle dlq edit`: another version of a letter, and what a retry of it brings.
@Suite struct LetterEditTests {
    private func edit(
        _ database: TestDatabase, _ words: String..., reason: String? = "ticket 4711", input: String? = nil
    )
        async throws -> Program.Result
    {
        try await database.running(["dlq", "edit"] + words + (reason.map { ["--reason", $0] } ?? []), input: input)
    }

    private func submitted(_ database: TestDatabase, _ line: String) async throws {
        _ = try await database.typing("trade submit", input: line)
        try await database.expecting("worker --once --log-level error")
    }

    private func balances(_ database: TestDatabase) throws -> String {
        try database.value("select string_agg(b::text, ' ' order by b::text) from balances b")
    }

    @Test func `a letter that is edited settles as edited, and its original has no effect when it comes again`()
        async throws
    {
        let database = try TestDatabase()
        try await database.fund()
        let original = tradeLine("t1", price: "10000")
        try await submitted(database, original)
        let dry = try await edit(database, "1", "--set", "price=100", "--dry-run", reason: nil)
        #expect(
            dry.output == """
                would change  price 100 instead of 10000
                to            {"id":"t1","market":"BTC/USDT","price":"100","quantity":"1","buyer_id":"alice",\
                "seller_id":"bob","buyer_fee":"0","seller_fee":"0"}
                a retry       would settle

                """)
        #expect(try database.count("dead_letter_versions") == 0)
        let edited = try await edit(database, "1", "--set", "price=100")
        #expect(
            edited.output == """
                dead letter 1 has version 2: price 100 instead of 10000
                a retry would settle
                Nothing is missing now.
                Next: settle dlq retry 1
                Or: settle dlq discard 1 --reason '…'

                """)
        let user = try database.value("select actor from dead_letter_versions")
        let shown = try await database.expecting("dlq show 1").withoutTimes
        #expect(shown.contains(#"payload  {"id":"t1","market":"BTC/USDT","price":"10000""#))
        #expect(shown.contains(#"edited   {"id":"t1","market":"BTC/USDT","price":"100""#))
        #expect(shown.contains("  TIME  edited by \(user): ticket 4711 (price 100 instead of 10000)\n"))
        #expect(shown.contains("         version 2, by \(user) at TIME: ticket 4711\n"))

        #expect(try await database.expecting("dlq retry --all --yes").hasPrefix("1 retried: 1 settled"))
        #expect(try database.available("alice", "USDT") == "900.000000")
        #expect(try database.value("select price from trades") == "100")
        // What was received is as it was, and repeats itself in vain: as a file, as a row, and after another edit.
        let before = try database.contents()
        let money = try balances(database)
        #expect(try await database.typing("trade submit", input: original).exitCode == 1)
        #expect(try database.contents() == before)
        #expect(try balances(database) == money)
        #expect(try database.count("dead_letters where position('10000' in encode(payload, 'escape')) > 0") == 1)
        #expect(try database.violations() == [])
    }

    @Test func `an edited trade that fails again reopens its own letter`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await submitted(database, tradeLine("t1", price: "10000"))
        _ = try await edit(database, "1", "--set", "price=5000")
        let failed = try await database.typing("dlq retry 1")
        #expect(failed.output == "1 retried: 0 settled, 1 parked again, 0 still waiting\n")
        #expect(
            failed.errors
                == "settle: dead letter 1 could not be settled: buyer alice has 1000.000000 USDT available, needs "
                + "5000.000000 USDT: 4000.000000 USDT missing. 'settle dlq show 1' says what to do.\n")
        #expect(
            try database.value(
                "select count(*) || ' ' || max(status::text) || ' ' || max(short_missing) from dead_letters")
                == "1 open 4000000000")
        // The original arrives while the letter is open, and again while its row waits.
        _ = try await database.typing("trade submit", input: tradeLine("t1", price: "10000"))
        #expect(try database.count("dead_letters") == 1)
        _ = try await edit(database, "1", "--set", "price=1000", "--set", "buyer_fee=0.1")
        #expect(try await database.expecting("dlq retry 1").hasPrefix("1 retried: 1 settled"))
        #expect(try database.value("select version from dead_letters") == "3")
        #expect(try database.available("alice", "BTC") == "0.90000000")
        #expect(
            try database.value("select string_agg(action, ' ' order by number) from dead_letter_attempts")
                == "parked edited retried parked edited retried")
        #expect(try database.violations() == [])
    }

    @Test func `what was no trade becomes one, by fields or as a whole`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1", price: "-1") + "garbage\n")
        #expect(try await edit(database, "1", "--set", "price=10").exitCode == 0)
        let garbage = try await edit(database, "2", "--set", "price=10")
        #expect(garbage.exitCode == 1)
        #expect(
            garbage.errors.hasPrefix(
                "settle: the result is no trade, and nothing was changed: what was received cannot be read: it is no object"
            ),
            "\(garbage.errors)")
        #expect(try await edit(database, "2", "--payload", "-", input: tradeLine("2", price: "20")).exitCode == 0)
        #expect(try await database.expecting("dlq retry 1 2").hasPrefix("2 retried: 2 settled"))
        #expect(try database.available("alice", "USDT") == "970.000000")
        // The originals again: refused as before, without a letter more and without money.
        _ = try await database.typing("trade submit", input: tradeLine("1", price: "-1") + "garbage\n")
        #expect(try database.count("dead_letters where status = 'open'") == 0)
        #expect(try database.available("alice", "USDT") == "970.000000")
        #expect(try database.violations() == [])
    }

    @Test func `an edit that mends the trade but not the money says what is missing, as the letter does then`()
        async throws
    {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1", price: "-1") + "garbage\n")
        let edited = try await edit(database, "1", "--set", "price=1500")
        let advice = """
            Next: settle deposit alice 500.000000 USDT --id KEY
            Then: settle dlq retry 1
            Or: settle dlq discard 1 --reason '…'

            """
        #expect(
            edited.output == """
                dead letter 1 has version 2: a trade instead of what could not be one
                a retry would be parked again: buyer alice has 1000.000000 USDT available, needs 1500.000000 USDT: \
                500.000000 USDT missing
                \(advice)
                """)
        #expect(try await database.expecting("dlq show 1").hasSuffix("\n\n\(advice)"))
        // What its market cannot settle wants another edit.
        _ = try await edit(database, "2", "--payload", "-", input: tradeLine("2", quantity: "0.000000000001"))
        let shown = try await database.expecting("dlq show 2")
        #expect(shown.contains("\nNext: settle dlq edit 2 "), "\(shown)")
        let json = try await edit(database, "1", "--set", "price=10", "--json")
        #expect(json.output.contains(#""outcome": "settle""#))
        #expect(json.output.contains(#""Next: settle dlq retry 1""#))
        #expect(try database.violations() == [])
    }

    @Test func `a conflict is settled under an id of its own`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await submitted(database, tradeLine("1"))
        let other = tradeLine("1", price: "50")
        _ = try await database.typing("trade submit", input: other)
        #expect(try await edit(database, "1", "--set", "id=1-corrected").exitCode == 0)
        #expect(try await database.expecting("dlq retry 1").hasPrefix("1 retried: 1 settled"))
        #expect(try database.available("alice", "USDT") == "850.000000")
        _ = try await database.typing("trade submit", input: other)
        #expect(try database.count("dead_letters where status = 'open'") == 0)
        #expect(try database.available("alice", "USDT") == "850.000000")
        #expect(try database.violations() == [])
    }

    @Test func `what cannot be edited so is refused, and nothing changes`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await submitted(database, tradeLine("t1", price: "10000"))
        _ = try await database.typing("trade submit", input: tradeLine("t2", market: "BTC/EUR"))
        let before = try database.contents()
        for (words, code, message) in [
            (
                ["1", "--set", "price=abc"], 64,
                #"invalid value 'price=abc' for '--set': price: "abc" is no decimal such as "12.50" of at most 38 digits. Try"#
            ),
            (["1", "--set", "price="], 64, "every trade has price, so it cannot be taken away"),
            (["1", "--set", "=abc"], 64, "expected a field and its value, such as price=100.00"),
            (["1", "--set", "id=t9"], 1, "the trade is stored as BTC/USDT:t1, so its id and market stay."),
            (["2", "--set", "market=BTC/USDT"], 1, "BTC/EUR:t2 could still be settled under that name"),
            (["9", "--set", "price=1"], 5, "there is no dead letter 9; 'settle dlq list' shows those there are"),
            (["1", "--payload", "nowhere.json"], 64, "settle: cannot read nowhere.json: no such file\n"),
            (["1", "--set", "prise=1"], 64, "Did you mean 'price'?"),
            (["1", "--set", "price"], 64, "expected a field and its value"),
            (["1", "--payload", "/"], 64, "settle: cannot read /: it is a folder\n"),
            (["1"], 64, "give either '--set KEY=VALUE' or '--payload FILE'"),
            (["1", "--set", "price=1", "--payload", "x"], 64, "give either"),
        ] {
            let result = try await database.running(["dlq", "edit"] + words + ["--reason", "x"])
            #expect(result.exitCode == Int32(code), "\(words): \(result.errors)")
            #expect(result.errors.contains(message), "\(words): \(result.errors)")
        }
        let unexplained = try await edit(database, "1", "--set", "price=1", reason: nil)
        #expect(unexplained.exitCode == 64)
        #expect(
            unexplained.errors
                == "settle: missing option '--reason TEXT' for 'dlq edit'. Try 'settle dlq edit --help'.\n")
        #expect(try await edit(database, "1", "--set", "price=1", reason: " ").exitCode == 64)
        for dryRun in [[], ["--dry-run"]] {
            let same = try await database.running(
                ["dlq", "edit", "1", "--set", "price=10000", "--reason", "x"] + dryRun)
            #expect(same.exitCode == 0)
            #expect(same.output == "dead letter 1 says that already\n")
        }
        #expect(
            try await edit(database, "1", "--set", "price=10000", "--json").output.contains("\"changed\": false"))
        #expect(try database.contents() == before)
        try await database.running(["dlq", "discard", "1", "--reason", "x"])
        let discarded = try await edit(database, "1", "--set", "price=1")
        #expect(discarded.errors == "settle: dead letter 1 is discarded; only an open one can be edited\n")
        #expect(try database.violations() == [])
    }
}
