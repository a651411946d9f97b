import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel
import WalletClient

extension EngineProcesses {
    /// An engine's balances against the ledger's at the same record.
    @Suite(.timeLimit(.minutes(5))) struct ReconcileCommandTests {
        private func json(_ result: Program.Result) throws -> [String: Any] {
            try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.errors)")
        }

        /// Alice has USDT, bob has BTC, both settled.
        private func open(_ venue: TradingVenue) async throws {
            try await venue.carryOut(TradingVenue.listings)
            try await venue.carryOut(
                TradingVenue.deposit("alice", "100000", "USDT"), TradingVenue.deposit("bob", "10", "BTC"))
        }

        private static func orders(_ count: Int, _ generator: inout SeededGenerator) -> [EngineCommand.Action] {
            (0..<count).map { _ in
                let account = "\(Int.random(in: 1_001...1_012, using: &generator))"
                let side: OrderSide = Bool.random(using: &generator) ? .buy : .sell
                let cents = Int.random(in: 4_990_000...5_010_000, using: &generator)
                let lots = Int.random(in: 1...500, using: &generator)
                return TradingVenue.order(
                    account, side, "\(DecimalNumber(Int128(lots), scale: 4)!)",
                    at: "\(DecimalNumber(Int128(cents), scale: 2)!)")
            }
        }

        @Test func `while orders go on, the engine and the ledger always agree`() async throws {
            // given
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await venue.carryOut(TradingVenue.listings)
            for account in 1_001...1_012 {
                try await venue.carryOut(
                    TradingVenue.deposit("\(account)", "1000000", "USDT"),
                    TradingVenue.deposit("\(account)", "100", "BTC"))
            }
            let carriedOut = Guarded(0)
            let trading = Task {
                var generator = SeededGenerator(seed: seed)
                let client = try venue.client()
                while !Task.isCancelled {
                    let commands = Self.orders(20, &generator).map {
                        EngineCommand(time: Timestamp(microseconds: 0), $0).bytes
                    }
                    let count = try await client.carryOut(commands).count
                    carriedOut.withLock { $0 += count }
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }

            // when
            var places: [Int] = []
            var inFlight = 0
            var turn = 0
            // As often as it takes to meet the ledger ahead of the engine's copy.
            while turn < 20 || inFlight == 0 && turn < 200 {
                turn += 1
                // Of two batches the second was sent after the last look.
                let before = carriedOut.withLock { $0 }
                try await eventually("orders go on") { carriedOut.withLock { $0 } >= before + 40 }
                // The feed grows with every turn.
                let trades = [2, 4].contains(turn) ? "--trades " : ""
                let result = try await venue.settle("reconcile \(trades)--json", on: database)
                #expect(result.exitCode == 0, "\(result.errors) \(result.output)")
                let found = try json(result)
                let (sequence, watermark) = (found["sequence"] as? Int ?? 0, found["watermark"] as? Int ?? 0)
                places.append(sequence)
                if watermark > sequence { inFlight += 1 }
            }
            trading.cancel()

            // then
            try await trading.value
            #expect(places == places.sorted() && Set(places).count == turn, "\(places)")
            #expect(inFlight > 0, "the ledger never was ahead of the engine's copy")
            #expect(
                try database.value("select count(*) from reconciliation_jobs where differences = 0") == "\(turn + 2)")
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `a balance that was nudged is found and named`() async throws {
            // given
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await open(venue)
            try await venue.carryOut(
                TradingVenue.order("alice", .buy, "1", at: "100"), TradingVenue.order("bob", .sell, "0.5", at: "90"))
            try await eventually("it is settled") { try database.watermark() == 7 }
            let clean = try await venue.settle("reconcile", on: database)
            #expect(
                clean.output
                    == "The engine and the ledger agree at record 7 of stream main: 6 balances of 2 accounts and "
                    + "the house.\n")
            #expect(clean.exitCode == 0 && clean.errors == "")

            // when
            func nudge(_ sign: String) throws {
                try database.execute(
                    """
                    update balances set available = available \(sign) 5, frozen = frozen \(sign) 1 from accounts a
                     where a.account_no = balances.account_no and a.id = 'alice' and asset_no = 2
                    """)
            }
            try nudge("+")
            let found = try await venue.settle("reconcile", on: database)

            // then
            #expect(found.exitCode == 3)
            #expect(found.errors == "settle: the engine and the ledger differ\n")
            #expect(
                found.output == """
                    ACCOUNT  ASSET  BALANCE          ENGINE        LEDGER  DIFFERENCE  EXPLAINED BY
                    alice    USDT   available  99900.000000  99900.000005    0.000005  -
                    alice    USDT   held          50.000000     50.000001    0.000001  -
                    1 difference at record 7 of stream main, in 6 balances of 2 accounts and the house.

                    """)
            let written = try json(try await venue.settle("reconcile --json", on: database))
            #expect(written["clean"] as? Bool == false && written["difference_count"] as? Int == 1)
            let difference = try #require((written["differences"] as? [[String: Any]])?.first)
            #expect(difference["account"] as? String == "alice" && difference["asset"] as? String == "USDT")
            #expect(difference["engine_available"] as? String == "99900.000000")
            #expect(difference["available_difference"] as? String == "0.000005")
            #expect(difference["held_difference"] as? String == "0.000001")
            #expect(
                try database.value(
                    """
                    select string_agg(account || ' ' || asset || ' ' || (ledger_available - engine_available), ',')
                      from reconciliation_errors join reconciliation_jobs using (job_no)
                     where sequence = 7 and differences = 1
                    """) == "alice USDT 0.000005,alice USDT 0.000005")

            try nudge("-")
            #expect(try await venue.settle("reconcile", on: database).exitCode == 0)
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `trades that the engine made and the books did not settle explain what differs`() async throws {
            // given: trade 1 is somebody else's in the books, and their market is halted when trade 2 comes
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            try database.addMarket()
            _ = try await database.typing(
                "trade submit", input: tradeLine("1", price: "7", quantity: "1", buyer: "eve", seller: "mallory"))
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await open(venue)
            try await venue.carryOut(
                TradingVenue.order("alice", .buy, "1", at: "100"), TradingVenue.order("bob", .sell, "1", at: "100"))
            try await eventually("the first is parked") { try database.watermark() == 7 }
            let letter = try database.value("select letter_no from dead_letters where stream_seq = 7")

            // when
            let parked = try await venue.settle("reconcile --without-house", on: database)

            // then
            #expect(parked.exitCode == 3)
            let lines = parked.output.split(separator: "\n").filter { $0.hasPrefix("alice") || $0.hasPrefix("bob") }
            #expect(lines.count == 4, "\(parked.output)")
            #expect(lines.allSatisfy { $0.hasSuffix("1 trade of it is parked: settle dlq show \(letter)") }, "\(lines)")
            let all = try json(try await venue.settle("reconcile --json", on: database))
            let house = (all["differences"] as? [[String: Any]])?.filter { $0["kind"] as? String == "house" } ?? []
            #expect(
                !house.isEmpty && house.allSatisfy { $0["explanation"] as? String == "fees of trades that are parked" })

            // and
            try await database.expecting("market halt BTC/USDT --reason trial")
            try await venue.carryOut(
                TradingVenue.deposit("carol", "100", "USDT"), TradingVenue.order("bob", .sell, "1", at: "50"),
                TradingVenue.order("carol", .buy, "1", at: "50"))
            try await eventually("the second waits") { try database.watermark() == 10 }
            let waiting = try json(try await venue.settle("reconcile --json", on: database))
            let carol = (waiting["differences"] as? [[String: Any]])?.first { $0["account"] as? String == "carol" }
            #expect(carol?["waiting"] as? [String] == ["BTC/USDT:2"])
            #expect(
                carol?["explanation"] as? String == "trade BTC/USDT:2 waits to be settled: settle explain BTC/USDT:2",
                "\(waiting)")
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `a trade that was dropped is found by its name, and comes back`() async throws {
            // given: bob's order of record 7, which trades, never comes to the books
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await open(venue)
            try await venue.carryOut(TradingVenue.order("alice", .buy, "1", at: "100"))
            try await eventually("six records are settled") { try database.watermark() == 6 }
            #expect(await worker.stop().exitCode == 0)
            try await venue.carryOut(TradingVenue.order("bob", .sell, "1", at: "100"))
            let status = try JSONDecoder().decode(
                EngineAnswer.self,
                from: Data(try await venue.client().query(Array(JSONEncoder().encode(EngineQuery.status)))))
            #expect(status.sequence == 7)
            try database.execute("update feed_state set watermark = 7, hash = '\\x\(status.hash)'")

            // when
            let found = try await venue.settle("reconcile --trades --without-house --json", on: database)

            // then
            #expect(found.exitCode == 3, "\(found)")
            let trades = try #require(try json(found)["trades"] as? [String: Any])
            #expect(trades["trades"] as? Int == 1 && trades["finding_count"] as? Int == 1)
            let finding = try #require((trades["findings"] as? [[String: Any]])?.first)
            #expect(finding["finding"] as? String == "missing_here" && finding["place"] as? Int == 7)
            #expect(finding["market"] as? String == "BTC/USDT" && finding["trade_id"] as? String == "1")
            #expect(
                try database.value(
                    "select concat_ws(' ', compared, stream, sequence, trades, differences) from reconciliation_jobs "
                        + "where compared = 'trades'") == "trades main 7 1 1")

            // and: it is stored as the engine made it
            let foreseen = try await venue.settle("reconcile --trades --fix --dry-run", on: database)
            #expect(foreseen.output.hasSuffix("1 trade would be stored as PENDING.\n"), "\(foreseen)")
            #expect(try database.value("select count(*) from trades") == "0")
            _ = try await venue.settle("reconcile --trades --fix --yes --reason dropped", on: database)
            #expect(
                try database.value("select concat_ws(' ', status, stream, stream_seq, buyer_id) from trades")
                    == "PENDING main 7 alice")
            try await database.expecting("worker --once --log-level error")
            let mended = try await venue.settle("reconcile --trades", on: database)
            #expect(mended.exitCode == 0, "\(mended)")
            #expect(
                mended.output == """
                    The engine and the ledger agree at record 7 of stream main: 6 balances of 2 accounts and the house.
                    The books agree: 1 trade of the engine of stream main.

                    """, "\(mended.output)")
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a trade that the books alone have, and an account that the engine does not know, are named`()
            async throws
        {
            // given
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await open(venue)
            try await eventually("it is settled") { try database.watermark() == 5 }
            func deposit(_ account: String, _ amount: String, _ asset: String) -> SettlementItem {
                SettlementItem(
                    .operation(EndToEndTests.operation("main:4-\(account)", account, amount, asset)),
                    origin: .feed(StreamPlace(stream: Identifier("main")!, sequence: 4)))
            }
            var ghost = trade("77", price: "10", quantity: "1", buyer: "ghost", seller: "spirit")
            (ghost.stream, ghost.sequence) = (Identifier("main")!, 5)
            let items = [
                deposit("ghost", "30", "USDT"), deposit("spirit", "1", "BTC"),
                SettlementItem(.trade(ghost), origin: .message("test")),
            ]
            #expect(try await database.wallet().settle(items) == [.settled, .settled, .settled])

            // when
            let found = try await venue.settle("reconcile --trades --json", on: database)

            // then
            #expect(found.exitCode == 3, "\(found)")
            let written = try json(found)
            let differences = try #require(written["differences"] as? [[String: Any]])
            #expect(
                Set(differences.map { "\($0["account"]!) \($0["asset"]!) \($0["explanation"]!)" })
                    == [
                        "ghost BTC the engine does not know this account",
                        "ghost USDT the engine does not know this account",
                        "spirit USDT the engine does not know this account",
                    ], "\(differences)")
            #expect(written["unknown_accounts"] as? Int == 2)
            let trades = try #require(written["trades"] as? [String: Any])
            #expect(trades["missing_there"] as? Int == 1 && trades["finding_count"] as? Int == 1, "\(trades)")
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            let violations = try database.violations()
            #expect(
                violations.count == 1
                    && violations[0].hasPrefix("7: stream main: record 4 moves money in or out 3 times"))
        }

        @Test func `what cannot be compared says why`() async throws {
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            try await open(venue)
            func refused(_ line: String, _ code: Int32 = 1, _ location: SourceLocation = #_sourceLocation) async throws
                -> String
            {
                let result = try await venue.settle(line, on: database)
                #expect(result.exitCode == code && result.output == "", "\(result)", sourceLocation: location)
                return result.errors
            }
            #expect(
                try await refused("reconcile", 5)
                    == "settle: no stream 'main' is followed; 'settle feed status' lists them\n")

            try database.execute("insert into feed_state (stream) values ('main'), ('other')")
            #expect(
                try await refused("reconcile --wait 200ms")
                    == "settle: after 200ms the books are at record 0 of stream 'main', and the engine is at 5; nobody "
                    + "follows it: 'settle worker --feed tcp://HOST:PORT' does\n")
            #expect(
                try await refused("reconcile --stream other").contains(
                    "is called 'main', not 'other'; '--stream' says which is meant"))

            try database.execute("update feed_state set halted_for = 'account 1001 is frozen', watermark = 3")
            #expect(
                try await refused("reconcile")
                    == "settle: stream 'main' is halted at record 3, and the engine is at 5: account 1001 is frozen. "
                    + "Try 'settle feed status'\n")

            try database.execute(
                "update feed_state set halted_for = null, watermark = 5, hash = '\\x0102030405060708'")
            #expect(
                try await refused("reconcile").contains("the hash at record 5 is 0102030405060708 in the books and"))
            try database.execute("update feed_state set watermark = 6")
            #expect(
                try await refused("reconcile").contains(
                    "the books are at record 6 and the engine at 5: it has lost records, or is another one"))
            #expect(try await refused("reconcile --wait soon", 64).contains("expected a duration"))
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try await refused("reconcile", 69).contains("does not answer. Is it running?"))
            #expect(try database.value("select count(*) from reconciliation_jobs") == "0")
        }
    }
}
