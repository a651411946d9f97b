import Foundation
import SettleTesting
import Testing

/// `settle dlq show` and `stats`: what somebody needs to understand a letter at night.
@Suite struct LetterStoryTests {
    /// Bob cannot pay alice for gems she would sell; alice's next purchase lacks what he would have paid.
    private func chain(_ database: TestDatabase) async throws {
        try await database.fund()
        for line in [
            tradeLine("t1", price: "100", quantity: "30", buyer: "bob", seller: "alice"),
            tradeLine("t2", price: "2000", quantity: "1", buyer: "alice", seller: "bob"),
        ] {
            #expect(try await database.typing("trade submit", input: line).exitCode == 0)
        }
        try await database.expecting("worker --once --log-level error")
    }

    @Test func `a letter says what was missing then and is now, what hangs on it, and what to do`() async throws {
        let database = try TestDatabase()
        try await chain(database)
        try await database.expecting("deposit bob 1000 USDT --id d1")
        let first = try await database.expecting("dlq show 1")
        #expect(
            first.withoutTimes.replacing(/worker \d+/, with: "worker N") == """
                dead letter 1, open: BTC/USDT:t1
                class    insufficient_funds
                why      buyer bob has 0.000000 USDT available, needs 3000.000000 USDT: 3000.000000 USDT missing
                from     trades, parked at TIME
                trade    bob buys 30 BTC at 100 USDT from alice
                stands   FAILED, tried once
                payload  {"id":"t1","market":"BTC/USDT","price":"100","quantity":"30","buyer_id":"bob",\
                "seller_id":"alice","buyer_fee":"0","seller_fee":"0"}

                TO GIVE       ASSET       NEEDED      THEN          NOW  MISSING NOW
                buyer bob     USDT   3000.000000  0.000000  1000.000000  2000.000000
                seller alice  BTC    30.00000000         -   0.00000000  30.00000000

                1 later trade is parked for want of what this one would have brought
                  dead letter 2, BTC/USDT:t2: buyer alice has 1000.000000 USDT available, needs 2000.000000 USDT: \
                1000.000000 USDT missing
                history
                  TIME  parked as insufficient_funds by worker N: buyer bob has 0.000000 USDT available, needs \
                3000.000000 USDT: 3000.000000 USDT missing

                Next: settle deposit bob 2000.000000 USDT --id KEY
                Then: settle deposit alice 30.00000000 BTC --id KEY
                Then: settle dlq retry 1
                Or: settle dlq discard 1 --reason '…'

                """)
        let second = try await database.expecting("dlq show 2")
        #expect(
            second.contains(
                """
                would have been funded by earlier trades that are parked, which bring alice USDT
                  dead letter 1, BTC/USDT:t1

                """))
        #expect(second.contains("\nDead letter 1 would bring money to this one: look at that first.\n"))

        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(try await database.expecting("dlq show 1 --json").utf8))
                as? [String: Any])
        let balances = try #require(json["balances"] as? [[String: Any]])
        #expect(balances.map { $0["missing"] as? String } == ["2000.000000", "30.00000000"])
        #expect(balances.map { $0["available_then"] as? String } == ["0.000000", nil])
        let funded = try #require(json["would_fund"] as? [String: Any])
        #expect(funded["count"] as? Int == 1 && funded["letters"] as? [Int] == [2])
        #expect((json["shortfall"] as? [String: Any])?["missing"] as? String == "3000.000000")
        #expect(try database.violations() == [])
    }

    @Test func `with the money there, what to do is to retry`() async throws {
        let database = try TestDatabase()
        try await chain(database)
        try await database.expecting("deposit alice 1000 USDT --id d1")
        #expect(
            try await database.expecting("dlq show 2").contains(
                "\nNothing is missing now.\nNext: settle dlq retry 2\n"))
        try database.execute("update accounts set status = 'closed' where id = 'bob'")
        #expect(
            try await database.expecting("dlq show 2").contains("\nAccount bob is closed, and nothing settles on it.\n")
        )
        #expect(
            try await database.expecting("dlq show 2").contains(
                "\nNext: settle account unfreeze bob --reason '…'\nThen: settle dlq retry 2\n"))
        try database.execute("update accounts set status = 'active' where id = 'bob'")
        try await database.expecting("dlq retry 2")
        // What is settled has been paid, and what is there now says nothing of it.
        let settled = try await database.expecting("dlq show 2")
        #expect(!settled.contains("MISSING NOW"))
        #expect(settled.hasSuffix("\nNothing is left to do: the trade is settled.\n"))
        #expect(
            try await database.expecting("dlq show 2 --json").contains(
                """
                  "advice": [
                    "Nothing is left to do: the trade is settled."
                  ]
                """))
        #expect(try database.violations() == [])
    }

    @Test func `each class says what to do`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        for line in [
            tradeLine("a", price: "-1"), tradeLine("b") + tradeLine("b", price: "5"), "what is this\n",
            tradeLine("c", market: "ETH/USDT"), tradeLine("d", market: "BTC"),
        ] {
            #expect(try await database.typing("trade submit", input: line).exitCode == 1)
        }
        for (letter, advice) in [
            (1, "Next: settle dlq edit 1 --set price=… --reason '…'\nThen: settle dlq retry 1\n"),
            (
                2,
                "If both trades are meant, this one needs an id of its own.\nNext: settle trade show BTC/USDT:b\n"
                    + "Then: settle dlq edit 2 --set id=… --reason '…'\nThen: settle dlq retry 2\n"
            ),
            (3, "Next: settle dlq edit 3 --payload FILE --reason '…'\nThen: settle dlq retry 3\n"),
            (
                4,
                "Next: settle asset add ETH --decimals …\nThen: settle market add ETH/USDT\nThen: settle dlq retry 4\n"
            ),
            (5, "Next: settle dlq edit 5 --set market=… --reason '…'\nThen: settle dlq retry 5\n"),
        ] {
            let text = try await database.expecting("dlq show \(letter)")
            #expect(text.contains("\n\(advice)"), "\(text)")
            #expect(text.contains("\nOr: settle dlq discard \(letter) --reason '…'\n"))
        }
        // What could be read of an unreadable trade is there to be looked for.
        #expect(try await database.expecting("dlq list --account alice -o jsonl").contains(#""id":1,"#))
        #expect(try database.violations() == [])
    }

    @Test func `a letter whose market was added meanwhile says what money it lacks`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        #expect(try await database.typing("trade submit", input: tradeLine("1", market: "BTC/EUR")).exitCode == 1)
        try await database.expecting("asset add EUR --decimals 2")
        try await database.expecting("market add BTC/EUR")
        let poor = try await database.expecting("dlq show 1")
        #expect(
            poor.contains(
                "\nThe market is there now.\nNext: settle deposit alice 100.00 EUR --id KEY\n"
                    + "Then: settle dlq retry 1\n"), "\(poor)")
        try await database.expecting("deposit alice 100 EUR --id d1")
        let rich = try await database.expecting("dlq show 1")
        #expect(
            rich.contains("\nThe market is there now.\nNothing is missing now.\nNext: settle dlq retry 1\n"),
            "\(rich)")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that was settled meanwhile by another way is told, and its letter closes without effect`()
        async throws
    {
        let database = try TestDatabase()
        try await database.fund()
        #expect(try await database.typing("trade submit", input: tradeLine("1", market: "BTC/EUR")).exitCode == 1)
        try await database.expecting("asset add EUR --decimals 2")
        try await database.expecting("market add BTC/EUR")
        try await database.expecting("deposit alice 500 EUR --id d1")
        #expect(try await database.typing("trade submit", input: tradeLine("1", market: "BTC/EUR")).exitCode == 0)
        try await database.expecting("worker --once --log-level error")
        #expect(try await database.typing("dlq list").errors == "No such dead letters.\n")
        #expect(try await database.expecting("dlq show 1").contains(": settled when it came again\n"))
        // As a version left it that did not resolve such letters.
        try database.execute("update dead_letters set status = 'open', stored = false")
        #expect(
            try await database.expecting("dlq list").contains("(settled meanwhile) there is no market BTC/EUR"))
        #expect(
            try await database.expecting("dlq show 1").hasSuffix(
                "\nThe same trade was settled meanwhile. This closes the letter, without effect:\n"
                    + "Next: settle dlq retry 1\n"))
        let balances = try database.value("select string_agg(b::text, ' ' order by b::text) from balances b")
        #expect(
            try await database.expecting("dlq retry 1") == "1 retried: 1 settled, 0 parked again, 0 still waiting\n")
        #expect(try database.value("select string_agg(b::text, ' ' order by b::text) from balances b") == balances)
        #expect(try await database.typing("dlq list").errors == "No such dead letters.\n")
        #expect(try database.violations() == [])
    }

    @Test func `letters are counted by class and by market`() async throws {
        let database = try TestDatabase()
        #expect(try await database.typing("dlq stats").errors == "There are no dead letters.\n")
        #expect(try await database.expecting("dlq stats --json") == "[]\n")
        try await chain(database)
        _ = try await database.typing("trade submit", input: "what\n" + tradeLine("x", market: "A/B"))
        try await database.running(["dlq", "discard", "3", "--reason", "noise"])
        #expect(
            try await database.expecting("dlq stats").withoutTimes == """
                CLASS               OPEN  RETRIED  DISCARDED  OLDEST OPEN           NEWEST OPEN
                insufficient_funds     2        0          0  TIME  TIME
                undecodable            0        0          1  -                     -
                unknown_market         1        0          0  TIME  TIME

                """)
        #expect(
            try await database.expecting("dlq stats --by market -o jsonl").withoutTimes == """
                {"market":null,"open":0,"retried":0,"discarded":1,"has_more":false,"oldest_open":null,\
                "newest_open":null}
                {"market":"A/B","open":1,"retried":0,"discarded":0,"has_more":false,"oldest_open":"TIME",\
                "newest_open":"TIME"}
                {"market":"BTC/USDT","open":2,"retried":0,"discarded":0,"has_more":false,"oldest_open":"TIME",\
                "newest_open":"TIME"}

                """)
        let page = try await database.typing("dlq stats --by market --limit 1")
        #expect(page.errors == "more: --after A/B\nNext: settle dlq list --market A/B\n")
        #expect(
            try await database.expecting("dlq stats --by market --after A/B -o jsonl").hasPrefix(
                #"{"market":"BTC/USDT""#))
        for bad in ["--by day", "--limit 0", "--after X", "x"] {
            #expect(try await database.typing("dlq stats \(bad)").exitCode == 64, "\(bad)")
        }
        #expect(try database.violations() == [])
    }
}
