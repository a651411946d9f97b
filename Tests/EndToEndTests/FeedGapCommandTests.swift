import Foundation
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension EngineProcesses {
    /// A feed that has lost records which nobody has settled.
    @Suite(.timeLimit(.minutes(5))) struct FeedGapCommandTests {
        @Test func `the stream is halted before a gap, and goes on behind it when an operator gives it up`()
            async throws
        {
            // given: an engine's records, of which another process publishes those behind alice's deposit alone
            let database = try TestDatabase()
            let venue = try await TradingVenue()
            var records = try await venue.carryOut(TradingVenue.listings)
            records += try await venue.carryOut(
                TradingVenue.deposit("alice", "100000", "USDT"), TradingVenue.deposit("bob", "10", "BTC"),
                TradingVenue.deposit("alice", "3", "BTC"))
            let lost = RecordBuffer(records.prefix(4))
            let log = MemoryLog(
                after: StreamPosition(sequence: 4, hash: lost.hash(after: 0)), recordsMax: 100, bytesMax: 1 << 20)
            try log.append(RecordBuffer(records.dropFirst(4)))
            let place = Endpoint()
            let publisher = try FeedPublisher(
                endpoint: place.name, stream: Identifier("main")!, epoch: 1, log: log)
            let publishing = Task { try await publisher.run() }
            try database.addMarket()

            // when
            let worker = try await Program.worker(on: database, ["--feed", place.name])
            #expect(await worker.waitFor("the feed is halted"))
            try await eventually("it is on record") { try database.count("feed_gaps") == 1 }

            // then
            let status = try await database.typing("feed status")
            #expect(status.output.contains("halted: the feed no longer keeps record 1; the oldest that it has, is 5"))
            #expect(status.errors.hasPrefix("Next: settle feed skip 1 --stream main --reason '…'"))
            let gaps = try await database.typing("feed gaps")
            #expect(
                gaps.output.withoutTimes == """
                    STREAM  FROM  TO  WAITING  FOUND                 STATE  REASON
                    main       1   4        -  TIME  open   -

                    """)
            #expect(gaps.errors.hasPrefix("Next: settle feed skip 1"))
            #expect(
                try await database.expecting("feed gaps --open -o jsonl").contains(#""first":1,"last":4,"records":4"#))
            let doctor = try await database.typing("doctor")
            #expect(doctor.output.contains("(records 1 to 4 are missing)"), "\(doctor.output)")

            // and
            for (line, code, message) in [
                ("feed skip 5 --reason lost --yes", 5, "record 5 of stream 'main' is in no open gap"),
                ("feed skip 1 --stream other --reason lost --yes", 5, "record 1 of stream 'other' is in no open gap"),
                ("feed skip 1 --reason lost", 64, "cannot ask 'Give up records 1 to 4 of stream main"),
                ("feed skip 1 --yes", 64, "'--reason TEXT'"), ("feed skip x --reason lost --yes", 64, "a whole number"),
            ] as [(String, Int32, String)] {
                let result = try await database.typing(line)
                #expect(result.exitCode == code && result.errors.contains(message), "\(line): \(result.errors)")
            }
            #expect(
                try await database.expecting("feed skip 2 --dry-run")
                    == "records 1 to 4 of stream main would be given up; it would go on behind record 4\n")
            #expect(try database.watermark() == 0)

            // when
            #expect(
                try await database.expecting("feed skip 2 --reason lost --yes")
                    == "records 1 to 4 of stream main are given up; it goes on behind record 4\n")
            try await eventually("the rest is settled") { try database.watermark() == 6 }

            // then
            #expect(try database.available("bob", "BTC") == "10.00000000")
            #expect(try database.available("alice", "BTC") == "3.00000000")
            #expect(try await database.expecting("feed gaps --open --json") == "[]\n")
            #expect(try await database.expecting("feed gaps").contains("skipped by"))
            #expect(try await database.expecting("feed gaps --after main:1 --json") == "[]\n")
            #expect(try await database.typing("feed skip 2 --reason lost --yes").exitCode == 5)
            let compared = try await venue.settle("reconcile", on: database)
            #expect(compared.exitCode == 3)
            #expect(compared.output.contains(#/alice +USDT +available +100000\.000000 +0\.000000 +-100000\.000000/#))
            #expect(
                compared.errors == """
                    4 records of the stream were skipped, which the books never saw: 'settle feed gaps' says which
                    settle: the engine and the ledger differ

                    """)
            #expect(await worker.stop().exitCode == 0)
            #expect(await venue.engine.stop().exitCode == 0)
            publisher.stop()
            _ = try? await publishing.value
            #expect(try database.violations() == [])
        }

        @Test func `the doctor says how each stream stands`() async throws {
            let database = try TestDatabase()
            func feed() async throws -> String {
                let output = try await database.typing("doctor").output
                return output.split(separator: "\n").drop { !$0.contains("  feed ") }.prefix(2).joined(separator: "\n")
            }
            #expect(try await feed().contains("no engine is followed, and no numbered trade is missing"))
            try database.execute("insert into feed_state (stream, watermark, newest) values ('main', 7, 9)")
            var said = try await feed()
            #expect(
                said.contains("remark") && said.contains("nobody follows stream main, which is settled up to record 7"))
            #expect(said.contains("→ settle worker --feed tcp://HOST:PORT"))

            try database.execute("update feed_state set follower = 3, leased_until = now() + interval '1 hour'")
            #expect(try await feed().contains("stream main is followed, and settled up to record 7"))
            try database.execute("update feed_state set advanced_at = now() - interval '5 minutes'")
            said = try await feed()
            #expect(
                said.contains("problem") && said.contains("has not moved from record 7 for 5 minutes, 2 records behind")
            )
            try database.execute("update feed_state set advanced_at = now(), newest = 1000000")
            #expect(try await feed().contains("stream main is 999,993 records behind the engine"))

            try database.execute("update feed_state set heard_at = now() - interval '5 minutes'")
            said = try await feed()
            #expect(said.contains("problem"))
            #expect(said.contains("nothing was heard from the feed of stream main for 5 minutes; it is settled up to"))
            #expect(said.contains("→ settle engine status --engine tcp://HOST:PORT"))

            try database.execute("update feed_state set halted_for = 'account 1001 is frozen', follower = null")
            said = try await feed()
            #expect(said.contains("problem") && said.contains("halted behind record 7: account 1001 is frozen"))
            #expect(said.contains("→ settle feed resume main --reason '…'"))
        }
    }
}
