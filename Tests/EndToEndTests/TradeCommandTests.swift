import Foundation
import SettleTesting
import Testing

/// `settle trade submit`, `show` and `list`.
@Suite struct TradeCommandTests {
    @Test func `lines of every kind are accepted, counted as duplicates or parked byte for byte`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await withFolder { folder in
            let path = folder + "/trades.ndjson"
            var bytes: [UInt8] = [0xEF, 0xBB, 0xBF]
            bytes += Array((tradeLine("1").dropLast() + "\r\n\r\n\ngarbage\n").utf8)
            bytes += [0xFF, 0xFE, 0x0A]
            bytes += Array(tradeLine("1").utf8)
            bytes += Array((tradeLine("1", price: "101") + tradeLine("2", market: "BTC/EUR")).utf8)
            bytes += Array((tradeLine("3", price: "1e5") + tradeLine("4", price: "1.0000001")).utf8)
            bytes += Array(tradeLine("5").dropLast().utf8)
            try write(bytes, to: path)
            let before = try database.contents()

            let dryRun = try await database.typing("trade submit \(path) --dry-run")
            #expect(dryRun.exitCode == 1)
            #expect(dryRun.output == "2 would be accepted, 1 duplicate, 6 refused\n")
            #expect(try database.contents() == before)

            let result = try await database.typing("trade submit \(path)")
            #expect(result.exitCode == 1)
            #expect(result.output == "2 accepted, 1 duplicate, 6 refused\n")
            #expect(
                result.errors == """
                    line 4: undecodable: expected a value, found "g" (byte 0)
                    line 5: undecodable: expected a value, found byte 0xff (byte 0)
                    line 7: conflict: trade BTC/USDT:1 exists with other content: price 101 instead of 100
                    line 8: unknown_market: there is no market BTC/EUR
                    line 9: invalid: price: "1e5" is no decimal such as "12.50" of at most 38 digits (byte 38)
                    line 10: invalid: price 1.0000001 has more than the 6 decimals of a price in BTC/USDT
                    settle: 6 lines were refused; 'settle dlq list' shows them

                    """)
            #expect(
                try database.value("select encode(payload, 'hex') from dead_letters where message like '%0xff%'")
                    == "fffe")

            let again = try await database.typing("trade submit \(path) --json")
            #expect(
                again.output.hasPrefix(
                    """
                    {
                      "accepted": 0,
                      "duplicates": 3,
                      "refused": 6,
                      "refusals": [
                        {
                          "line": 4,
                          "class": "undecodable",
                          "message": "expected a value, found \\"g\\" (byte 0)"
                        },

                    """), "\(again.output)")
            #expect(
                again.output.hasSuffix(
                    """
                      ],
                      "refusals_has_more": false,
                      "settled": null,
                      "parked": null
                    }

                    """), "\(again.output)")
            #expect(try database.value("select count(*) from dead_letters") == "6")
        }
        #expect(try await database.typing("worker --once --log-level error").exitCode == 0)
        #expect(try database.available("alice", "BTC") == "2.00000000")
        #expect(try database.violations() == [])
    }

    @Test func `submit and wait follows trades to their outcome`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let worker = try Program(["worker"], environment: ["DATABASE_URL": database.connectionString])
        let settled = try await database.typing("trade submit - --wait", input: tradeLine("1") + tradeLine("2"))
        #expect(settled.exitCode == 0, "\(settled.errors)")
        #expect(settled.output == "2 accepted, 0 duplicates, 0 refused\n2 settled, 0 parked\n")
        let parked = try await database.typing("trade submit --wait -o jsonl", input: tradeLine("3", quantity: "50"))
        #expect(parked.exitCode == 1)
        #expect(
            parked.output
                == #"{"accepted":1,"duplicates":0,"refused":0,"refusals":[],"refusals_has_more":false,"settled":0,"parked":1}"#
                + "\n")
        #expect(parked.errors == "settle: trade BTC/USDT:3 is parked. Next: settle explain BTC/USDT:3\n")
        // What was there before is followed too, each trade once.
        let again = try await database.typing(
            "trade submit --wait", input: tradeLine("3", quantity: "50") + tradeLine("1") + tradeLine("1"))
        #expect(again.exitCode == 1)
        #expect(again.output == "0 accepted, 3 duplicates, 0 refused\n1 settled, 1 parked\n")
        #expect(again.errors == parked.errors)
        let several = try await database.typing(
            "trade submit --wait", input: tradeLine("3", quantity: "50") + tradeLine("it's 4", quantity: "50"))
        #expect(several.errors == "settle: 2 trades are parked; 'settle dlq list' shows them\n")
        let quoted = try await database.typing("trade submit --wait", input: tradeLine("it's 4", quantity: "50"))
        #expect(quoted.errors.contains(#"Next: settle explain 'BTC/USDT:it'\''s 4'"#), "\(quoted.errors)")
        worker.signal(SIGTERM)
        #expect(await worker.wait().exitCode == 0)
        #expect(try database.violations() == [])
    }

    @Test func `who waits for trades is told what operators have stopped, and what ends that`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await database.expecting("queue pause --reason maintenance")
        try await database.expecting("market halt BTC/USDT --reason prices")
        let submission = try Program(
            ["trade", "submit", "--wait"], environment: ["DATABASE_URL": database.connectionString],
            input: tradeLine("1"))
        #expect(await submission.waitFor(". Next: settle queue resume\n"))
        #expect(await submission.waitFor("no worker is running; 'settle worker' settles what waits\n"))
        #expect(
            submission.errorsSoFar.contains(
                #/the queue is paused since \S+Z by \S+: maintenance. Next: settle queue resume/#))
        #expect(
            submission.errorsSoFar.contains(
                #/market BTC/USDT is halted since \S+Z by \S+: prices. Next: settle market resume BTC/USDT --reason '…'/#
            ), "\(submission.errorsSoFar)")
        try await database.expecting("queue resume")
        try await database.expecting("market resume BTC/USDT --reason mended")
        try await database.expecting("worker --once --log-level error")
        let result = await submission.wait()
        #expect(result.exitCode == 0 && result.output == "1 accepted, 0 duplicates, 0 refused\n1 settled, 0 parked\n")
        #expect(try database.violations() == [])
    }

    @Test func `at a terminal one is told what holds trades up, but not where all of them were there before`()
        async throws
    {
        let database = try TestDatabase()
        try await database.fund()
        try await withFolder { folder in
            try tradeLine("1").write(toFile: folder + "/trades.ndjson", atomically: true, encoding: .utf8)
            func screen() async throws -> String {
                let terminal = try PseudoTerminal(
                    ["trade", "submit", "trades.ndjson"], columns: 120,
                    environment: ["DATABASE_URL": database.connectionString, "NO_COLOR": "1"], directory: folder)
                #expect(try await terminal.wait() == 0)
                return terminal.screen.transcript.joined(separator: "\n")
            }

            let first = try await screen()
            #expect(first.contains("1 accepted, 0 duplicates, 0 refused"), "\(first)")
            #expect(first.contains("no worker is running; 'settle worker' settles what waits"), "\(first)")
            try await database.expecting("worker --once --log-level error")
            let again = try await screen()
            #expect(again.contains("0 accepted, 1 duplicate, 0 refused"), "\(again)")
            #expect(!again.contains("worker"), "\(again)")
        }
        #expect(try database.violations() == [])
    }

    @Test func `of two lines of one id the first is stored and the second is parked, wherever they stand`()
        async throws
    {
        // Given: a file of many lines in no order, in which an id comes again with another price.
        let database = try TestDatabase()
        try await database.fund()
        var lines = [tradeLine("601", price: "10")]
        lines += [704, 700, 703, 701, 702].map { tradeLine("\($0)", price: "1") }
        lines.append(tradeLine("601", price: "11"))
        lines += (710..<800).map { tradeLine("\(2_000 - $0)", price: "1", quantity: "0.01") }
        lines += (710..<800).map { tradeLine("\($0)", price: "1", quantity: "0.01") }
        lines.append(tradeLine("601", price: "12"))

        // When: it is submitted.
        let submitted = try await database.typing("trade submit", input: lines.joined())

        // Then: no line is lost.
        #expect(submitted.output.contains(", 2 refused\n"), "\(submitted.output)")
        #expect(submitted.errors.contains("price 11 instead of 10"), "\(submitted.errors)")
        #expect(submitted.errors.contains("price 12 instead of 10"), "\(submitted.errors)")
        #expect(try database.value("select price from trades where trade_id = '601'") == "10")
        #expect(try database.value("select string_agg(class, ' ') from dead_letters") == "conflict conflict")
        try await database.expecting("worker --once --log-level error")
        #expect(try database.available("alice", "USDT") != "1000.000000")
        #expect(try database.violations() == [])
    }

    @Test func `nothing submitted is nothing`() async throws {
        let database = try TestDatabase()
        #expect(try await database.typing("trade submit").output == "0 accepted, 0 duplicates, 0 refused\n")
        #expect(try await database.typing("trade submit a b").exitCode == 64)
        #expect(
            try await database.typing("trade list").errors
                == "No trades yet. 'settle trade submit' stores some.\n")
        #expect(try await database.expecting("trade list --json") == "[]\n")
        #expect(try await database.expecting("trade list -o jsonl") == "")
    }

    @Test func `an overlong line is one letter, and its tail is no trade`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await withFolder { folder in
            let path = folder + "/long.ndjson"
            let long = String(repeating: "x", count: 5 << 20) + "\n"
            let sneaky = String(repeating: "x", count: 9 << 18) + tradeLine("sneak")
            try write(Array((long + tradeLine("1") + sneaky).utf8), to: path)
            let result = try await database.typing("trade submit \(path)")
            #expect(result.output == "1 accepted, 0 duplicates, 2 refused\n")
        }
        #expect(try database.value("select string_agg(trade_id, ',') from trades") == "1")
        try await database.expecting("worker --once --log-level error")
        #expect(try database.violations() == [])
    }

    @Test func `a trade is shown by its id, or with its market where that is needed`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await database.expecting("market add USDT/BTC")
        _ = try await database.typing("trade submit", input: tradeLine("9") + tradeLine("7"))
        try await database.expecting("worker --once --log-level error")
        let batch = try database.value("select batch_no from trades where trade_id = '9'")
        #expect(
            try await database.expecting("trade show 9").withoutTimes == """
                FIELD         VALUE
                id            9
                market        BTC/USDT
                status        SETTLED
                price         100
                quantity      1
                buyer_id      alice
                seller_id     bob
                buyer_fee     0
                seller_fee    0
                received_seq  1
                received_at   TIME
                settled_at    TIME
                attempts      1
                batch         \(batch)

                """)
        #expect(
            try await database.expecting("trade show BTC-USDT:9 -o jsonl").withoutTimes == """
                {"id":"9","market":"BTC/USDT","status":"SETTLED","price":"100","quantity":"1","buyer_id":"alice",\
                "seller_id":"bob","buy_order_id":null,"sell_order_id":null,"taker":null,"buyer_fee":"0","seller_fee":"0",\
                "executed_at":null,"stream":null,"seq":null,"received_seq":1,"received_at":"TIME","settled_at":"TIME",\
                "attempts":1,"batch":\(batch),"class":null,"message":null,"dead_letter":null,"reversed_at":null,\
                "reversed_by":null,"reversal_reason":null,"reversal_batch":null}

                """)
        _ = try await database.typing(
            "trade submit", input: tradeLine("9", price: "0.01", buyer: "bob", seller: "alice", market: "USDT/BTC"))
        let both = try await database.typing("trade show 9")
        #expect(both.exitCode == 64)
        #expect(both.errors.contains("BTC/USDT:9"))
        #expect(both.errors.contains("USDT/BTC:9"))
        try await database.expecting("trade show USDT_BTC:9")
        for name in ["8", "USDT/BTC:7", "'", "%"] {
            let missing = try await database.typing("trade show \(name)")
            #expect(missing.exitCode == 5)
            #expect(missing.errors == "settle: there is no trade \(name); 'settle trade list' shows those there are\n")
        }
        try await database.expecting("worker --once --log-level error")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that failed is shown with its reason and its letter`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("5", quantity: "11"))
        try await database.expecting("worker --once --log-level error")
        let shown = try await database.expecting("trade show 5").withoutTimes
        #expect(
            shown.hasSuffix(
                """
                class         insufficient_funds
                message       buyer alice has 1000.000000 USDT available, needs 1100.000000 USDT: 100.000000 USDT missing
                dead_letter   1

                Next: settle dlq show 1

                """), "\(shown)")
        let json = try await database.expecting("trade show 5 -o jsonl")
        #expect(json.contains(#""class":"insufficient_funds","message":"buyer alice has"#), "\(json)")
        #expect(json.contains(#","dead_letter":1,"#), "\(json)")
        #expect(try database.violations() == [])
    }

    @Test func `an id that begins or ends with a blank is refused where it would be new`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        for line in [tradeLine(" 1"), tradeLine("2", buyer: "alice "), tradeLine("3", seller: "\u{A0}bob")] {
            let result = try await database.typing("trade submit", input: line)
            #expect(result.exitCode == 1)
            #expect(result.errors.contains("an id must not begin or end with a blank"), "\(result.errors)")
        }
        for words in [["alice ", "1", "USDT", "--id", "k"], ["alice", "1", "USDT", "--id", " k"]] {
            let result = try await database.running(["deposit"] + words)
            #expect(result.exitCode == 64)
            #expect(result.errors.contains("must not begin or end with a blank: '"), "\(result.errors)")
        }
        #expect(try database.count("trades") == 0)
        #expect(try database.count("operations") == 2)
        #expect(try database.violations() == [])
    }

    @Test func `trades are listed in pages, with the cursor on stderr only`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: (1...5).map { tradeLine("\($0)") }.joined())
        var ids: [String] = []
        var cursor: String? = "0"
        var pages = 0
        while let after = cursor {
            let page = try await database.typing("trade list --limit 2 --after \(after) -o jsonl")
            #expect(page.exitCode == 0)
            ids += page.output.matches(of: /"id":"(\d)"/).map { String($0.1) }
            #expect(!page.output.contains("more"))
            cursor = page.errors.firstMatch(of: /more: --after (\d+)\n/).map { String($0.1) }
            pages += 1
        }
        #expect(ids == ["1", "2", "3", "4", "5"])
        #expect(pages == 3)

        #expect(try await database.expecting("trade list --status pending").split(separator: "\n").count == 6)
        #expect(try await database.typing("trade list --status settled").errors == "No such trades.\n")
        #expect(try await database.typing("trade list --market USDT/BTC").exitCode == 5)
        #expect(try await database.typing("trade list --since 2100-01-01").errors == "No such trades.\n")
        #expect(
            try await database.expecting("trade list --since 1h --market BTC_USDT -o jsonl").split(separator: "\n")
                .count == 5)
        for since in ["5000000d", "9000000000d", "2026-01-01", "1970-01-01T00:00:00Z"] {
            #expect(
                try await database.expecting("trade list --since \(since) -o jsonl").split(separator: "\n").count == 5)
        }
        for bad in [
            "--limit 0", "--limit 100001", "--limit x", "--after x", "--status gone", "--since yesterday",
            "--since 2026-02-30", "--market BTC", "--bogus", "extra",
        ] {
            let result = try await database.typing("trade list \(bad)")
            #expect(result.exitCode == 64, "\(bad)")
            #expect(result.output == "")
        }
        try await database.expecting("worker --once --log-level error")
        #expect(try database.violations() == [])
    }

    @Test func `hostile ids reach the books as they are, and terminals made harmless`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let ids = [
            #"'; drop table trades; --"#, #"100%_"#, #"back\\slash"#, "a\u{202E}b", "a\u{9B}31mb", "аlice", #"\"q\""#,
        ]
        let lines =
            ids.map { tradeLine($0) }.joined() + tradeLine("line", buyer: "a\u{202E}b") + tradeLine(#"esc\u001b[31m"#)
        let submitted = try await database.typing("trade submit", input: lines)
        #expect(submitted.output == "8 accepted, 0 duplicates, 1 refused\n")
        try await database.expecting("worker --once --log-level error")
        var texts = [submitted.errors]
        for line in [
            "trade list", "trade list --json", "dlq list", "dlq list --json", "dlq show 1", "dlq show 1 --json",
            "dlq show 2",
        ] {
            texts.append(try await database.expecting(line))
        }
        for id in ids where !id.contains("\\") {
            let shown = try await database.running(["trade", "show", "-o", "jsonl", "--", id])
            #expect(shown.exitCode == 0, "\(id): \(shown.errors)")
            texts.append(shown.output)
        }
        for text in texts {
            #expect(!text.unicodeScalars.contains { "\u{1B}\u{9B}\u{202E}".unicodeScalars.contains($0) }, "\(text)")
        }
        #expect(try database.value("select count(*) from trades where status = 'SETTLED'") == "7")
        #expect(try database.violations() == [])
    }
}
