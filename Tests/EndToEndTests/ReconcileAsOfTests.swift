import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension EngineProcesses {
    /// `settle reconcile --as-of`: both sides as they were at a record that is past.
    @Suite(.timeLimit(.minutes(5))) struct ReconcileAsOfTests {
        /// Alice has USDT, bob has BTC, both trade at record 7; carol comes at 8 and trades at 9.
        private static let trading: [EngineCommand.Action] =
            TradingVenue.listings + [
                TradingVenue.deposit("alice", "100000", "USDT"), TradingVenue.deposit("bob", "10", "BTC"),
                TradingVenue.order("alice", .buy, "1", at: "100"), TradingVenue.order("bob", .sell, "0.5", at: "90"),
                TradingVenue.deposit("carol", "5", "BTC"), TradingVenue.order("carol", .sell, "0.25", at: "100"),
            ]

        private func json(_ result: Program.Result) throws -> [String: Any] {
            try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.errors)")
        }

        private func refused(
            _ line: String, _ code: Int32, _ venue: TradingVenue, _ database: TestDatabase,
            _ location: SourceLocation = #_sourceLocation
        ) async throws -> String {
            let result = try await venue.settle(line, on: database)
            #expect(result.exitCode == code && result.output == "", "\(result)", sourceLocation: location)
            return result.errors
        }

        @Test func `at each record that is past the engine and the ledger agree, and say what they had there`()
            async throws
        {
            // given
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            let records = try await venue.carryOut(Self.trading)
            try await eventually("it is settled") { try database.watermark() == 9 }

            // when
            var written: [String] = []
            for sequence in 1...9 {
                let result = try await venue.settle("reconcile --as-of \(sequence)", on: database)
                #expect(result.exitCode == 0 && result.errors == "", "\(result)")
                written.append(result.output)
            }

            // then
            func line(_ sequence: Int, _ balances: String, _ accounts: String) -> String {
                "The engine and the ledger agree at record \(sequence) of stream main: \(balances) of \(accounts) and "
                    + "the house.\n"
            }
            #expect(written[0] == line(1, "2 balances", "0 accounts"))
            #expect(written[3] == line(4, "3 balances", "1 account"))
            #expect(written[4] == line(5, "4 balances", "2 accounts"))
            #expect(written[6] == line(7, "6 balances", "2 accounts"))
            #expect(written[7] == line(8, "7 balances", "3 accounts"))
            #expect(written[8] == line(9, "8 balances", "3 accounts"))

            let there = try json(try await venue.settle("reconcile --as-of 5 --json", on: database))
            #expect(
                Set(there.keys) == [
                    "clean", "stream", "sequence", "hash", "engine_sequence", "watermark", "job", "accounts",
                    "balances", "skipped_records", "difference_count", "differences", "unknown_accounts", "trades",
                ])
            #expect(there["clean"] as? Bool == true && there["sequence"] as? Int == 5)
            #expect(there["engine_sequence"] as? Int == 9 && there["watermark"] as? Int == 9)
            let fifth = RecordBuffer(records.prefix(5)).hash(after: 0)
            #expect(there["hash"] as? String == fifth.hexadecimal)
            #expect(
                try database.value(
                    "select string_agg(sequence::text, ',' order by job_no) from reconciliation_jobs "
                        + "where differences = 0") == "1,2,3,4,5,6,7,8,9,5")
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `what was damaged before the record is found, and what is missing behind it is not`() async throws {
            // given: the trade of record 9 never comes to the books
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            var records = try await venue.carryOut(Self.trading.dropLast())
            try await eventually("it is settled") { try database.watermark() == 8 }
            #expect(await worker.stop().exitCode == 0)
            records += try await venue.carryOut(Self.trading.last!)
            let hash = RecordBuffer(records).hash(after: 0)
            try database.execute("update feed_state set watermark = 9, hash = '\\x\(hash.hexadecimal)'")

            // when, then
            #expect(try await venue.settle("reconcile --as-of 8", on: database).exitCode == 0)
            let lost = try await venue.settle("reconcile --as-of 9", on: database)
            #expect(lost.exitCode == 3 && lost.output.contains("at record 9 of stream main"), "\(lost)")
            let dropped = try await venue.settle("reconcile --as-of 9 --trades", on: database)
            #expect(dropped.output.contains("BTC/USDT:2  missing here"), "\(dropped)")
            #expect(try await venue.settle("reconcile --as-of 8 --trades", on: database).exitCode == 0)

            // and: a balance is nudged
            func nudge(_ units: Int) throws {
                try database.execute(
                    """
                    update balances set available = available + \(units) from accounts a
                     where a.account_no = balances.account_no and a.id = 'alice' and asset_no = 2
                    """)
            }
            try nudge(5)
            let found = try await venue.settle("reconcile --as-of 6", on: database)
            #expect(found.exitCode == 3)
            #expect(found.errors == "settle: the engine and the ledger differ\n")
            #expect(
                found.output == """
                    ACCOUNT  ASSET  BALANCE          ENGINE        LEDGER  DIFFERENCE  EXPLAINED BY
                    alice    USDT   available  99900.000000  99900.000005    0.000005  -
                    1 difference at record 6 of stream main, in 4 balances of 2 accounts and the house.

                    """)
            #expect(await venue.engine.stop().exitCode == 0)

            // But for the damage the books are right.
            #expect(try database.violations() != [])
            try nudge(-5)
            let eighth = RecordBuffer(records.prefix(8)).hash(after: 0)
            try database.execute("update feed_state set watermark = 8, hash = '\\x\(eighth.hexadecimal)'")
            #expect(try database.violations() == [])
        }

        @Test func `a settled trade whose row is gone is named as damage, and is not stored to settle again`()
            async throws
        {
            // given
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await venue.carryOut(Self.trading)
            try await eventually("it is settled") { try database.watermark() == 9 }
            #expect(await worker.stop().exitCode == 0)
            let batch = try database.value("select batch_no from trades where trade_id = '2'")
            try database.damage("delete from trades where trade_id = '2'")

            // when
            let fixed = try await venue.settle("reconcile --as-of 9 --trades --fix --yes --reason lost", on: database)

            // then
            #expect(fixed.exitCode == 3)
            #expect(
                fixed.output.contains(#/BTC\/USDT:2 +damaged /#)
                    && fixed.output.contains("gone, settled in batch \(batch) "), "\(fixed)")
            #expect(fixed.output.contains("0 trades stored as PENDING"), "\(fixed)")
            try await database.expecting("worker --once --log-level error")
            #expect(try database.value("select count(*) from trades where trade_id = '2'") == "0")
            let balances = try await venue.settle("reconcile --as-of 9", on: database)
            #expect(balances.exitCode == 0, "\(balances)")
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try database.violations() != [])
        }

        @Test func `while orders go on, any record that is settled can be asked about`() async throws {
            // given
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name, "--batch", "7"])
            let client = try venue.client()
            _ = try await client.carryOut(OrderFlow.opening)
            let trading = Task {
                var flow = OrderFlow(seed: seed)
                while !Task.isCancelled {
                    _ = try await client.carryOut(flow.next(20))
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }

            // when
            var generator = SeededGenerator(seed: seed)
            var behind: Int64 = 0
            for _ in 1...12 {
                try await eventually("more is settled") { [behind] in try database.watermark() > behind + 20 }
                let watermark = try database.watermark()
                let sequence = Int64.random(in: max(27, watermark - 300)...max(27, watermark), using: &generator)
                let result = try await venue.settle("reconcile --as-of \(sequence) --json", on: database)

                // then
                #expect(result.exitCode == 0, "\(result.errors) \(result.output)")
                let found = try json(result)
                #expect(found["sequence"] as? Int == Int(sequence) && found["balances"] as? Int == 26)
                behind = watermark
            }
            trading.cancel()
            try await trading.value
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `work in flight behind the record is no difference, and the books need not come further`()
            async throws
        {
            // given: the books stand at record 7 while the engine goes on
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await venue.carryOut(Array(Self.trading.prefix(7)))
            try await eventually("it is settled") { try database.watermark() == 7 }
            #expect(await worker.stop().exitCode == 0)
            try await venue.carryOut(Array(Self.trading.dropFirst(7)))

            // when, then
            for sequence in 4...7 {
                let result = try await venue.settle("reconcile --as-of \(sequence)", on: database)
                #expect(result.exitCode == 0, "\(result)")
            }
            #expect(
                try await refused("reconcile --as-of 8 --wait 200ms", 1, venue, database)
                    == "settle: after 200ms the books are at record 7 of stream 'main', and record 8 is asked about; "
                    + "nobody follows it: 'settle worker --feed tcp://HOST:PORT' does\n")
            #expect(
                try await refused("reconcile --as-of 10", 5, venue, database)
                    == "settle: stream 'main' has no record 10 yet: the engine is at 9\n")

            // and: the commit of a trade behind the record is there, its watermark is not
            try database.execute("update feed_state set watermark = 6, hash = null")
            #expect(try await venue.settle("reconcile --as-of 6", on: database).exitCode == 0)
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a record that cannot be asked about says why, and what can`() async throws {
            let database = try TestDatabase()
            let venue = try await TradingVenue("--keep", "1000")
            let worker = try await Program.worker(on: database, ["--feed", venue.feed.name])
            try await venue.carryOut(Self.trading)
            let tiers = (0..<300).map {
                EngineCommand.Action.setFeeTier(account: Identifier("alice")!, tier: UInt8($0 % 2))
            }
            // The feed keeps no more, so that the books must come along.
            for round in 0...10 {
                try await eventually("it is settled") { try database.watermark() == 9 + Int64(round) * 300 }
                if round < 10 { try await venue.carryOut(tiers) }
            }

            let gone = try await refused("reconcile --as-of 6", 1, venue, database)
            let oldest = try #require(
                gone.firstMatch(
                    of: #/record 6 cannot be told any more: the oldest record that its feed keeps is (\d+)\. /#
                ).flatMap { Int($0.1) }, "\(gone)")
            #expect(gone.hasSuffix(" '--as-of' may be \(oldest - 1) or later\n"))
            #expect(try await venue.settle("reconcile --as-of \(oldest - 1)", on: database).exitCode == 0)
            _ = try await refused("reconcile --as-of \(oldest - 2)", 1, venue, database)
            #expect(
                try await refused("reconcile --as-of 0", 64, venue, database).hasPrefix(
                    "settle: '--as-of' is a record's number, from 1 on, not 0"))
            #expect(
                try await refused("reconcile --as-of 5 --against trades.csv", 64, venue, database).hasPrefix(
                    "settle: '--as-of' is for an engine, '--against' for a file"))

            // Another engine's feed, and none.
            let other = try await TradingVenue()
            for _ in 0..<11 { try await other.carryOut(tiers) }
            #expect(
                try await refused("reconcile --as-of 2500 --feed \(other.feed.name)", 1, venue, database).contains(
                    "the hash at record 3009 is"))
            #expect(await other.engine.stop().exitCode == 0)
            #expect(
                try await refused("reconcile --as-of 2500 --feed \(other.feed.name)", 69, venue, database).contains(
                    "does not answer. Is it running?"))
            #expect(try database.value("select count(*) from reconciliation_jobs") == "1")
            for program in [worker, venue.engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }
    }
}
