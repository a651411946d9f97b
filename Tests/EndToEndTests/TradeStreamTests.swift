import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

@testable import SettlementWorkers

extension EngineProcesses {
    /// Trades that carry a sequence of their sender: what of it has not come is known.
    @Suite(.timeLimit(.minutes(5))) struct TradeStreamTests {
        private func numbered(_ sequence: Int, seller: String = "bob", market: String = "BTC/USDT") -> String {
            #"{"v":1,"type":"trade","stream":"other","seq":\#(sequence),"trade":{"id":"t\#(sequence)","#
                + #""market":"\#(market)","price":"100","quantity":"0.01","buyer_id":"alice","seller_id":"\#(seller)"}}"#
        }

        private func gaps(_ database: TestDatabase) throws -> String {
            try database.value(
                """
                select string_agg(first_seq || '-' || last_seq, ' ' order by first_seq) from trade_stream_gaps
                 where skipped_at is null
                """)
        }

        @Test func `what has not come is a gap, which late arrival closes and an operator gives up`() async throws {
            // Given: some trades of a stream, of which one is parked.
            let database = try await fundedDatabase()
            let endpoint = Endpoint()
            #expect(try await database.typing("feed status").errors.hasPrefix("No engine is followed, and no trade"))
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            for sequence in [2, 1, 4, 8] { try await endpoint.push(numbered(sequence)) }
            try await endpoint.push(numbered(5, seller: "nobody"))

            // Then
            try await eventually("all is counted") { try gaps(database) == "3-3 6-7" }
            let status = try await database.typing("feed status")
            #expect(
                status.output.withoutTimes == """
                    STREAM  WATERMARK  LAG  HASH  ADVANCED              WORKER  STATE
                    other           2    6  -     TIME       -  lacks 3 trades in 2 gaps

                    """)
            #expect(status.errors == "Next: settle feed gaps --stream other\n")
            let json = try await database.expecting("feed status -o jsonl")
            #expect(json.contains(#""kind":"trades","watermark":2,"#))
            #expect(json.contains(#""newest":8,"lag":6,"lag_seconds":"#) && json.contains(#""gaps":2,"missing":3,"#))
            let listed = try await database.typing("feed gaps")
            #expect(
                listed.output.withoutTimes == """
                    STREAM  FROM  TO  WAITING  FOUND                 STATE  REASON
                    other      3   3        0  TIME  open   -
                    other      6   7        0  TIME  open   -

                    """)
            #expect(
                listed.errors
                    == "Next: settle feed skip 3 --stream other --reason '…'    "
                    + "(or have these trades sent once more, which closes the gap)\n")
            #expect(
                try await database.expecting("feed gaps --after other:3 -o jsonl").hasPrefix(
                    #"{"stream":"other","kind":"trades","first":6,"last":7,"records":2,"waiting":0,"state":"open","#))

            // When: they have been missing for a while.
            try database.execute("update trade_stream_gaps set found_at = found_at - interval '1 minute'")
            // Then
            #expect(await worker.waitFor("trades of a stream are missing", times: 2))
            let doctor = try await database.typing("doctor")
            let aged = try await database.expecting("feed gaps -o jsonl")
            #expect(aged.contains(#/"age_seconds":[6-9]\d,/#))
            #expect(doctor.exitCode == 3 && doctor.output.contains("stream other lacks 3 trades in 2 gaps, the oldest"))

            // When
            try await endpoint.push(numbered(3))
            // Then
            try await eventually("the gap is closed") { try gaps(database) == "6-7" }

            // When
            let line = "feed skip 7 --stream other --reason never-sent"
            #expect(try await database.typing("feed skip 8 --stream other --reason x --yes").exitCode == 5)
            #expect(try await database.typing(line).exitCode == 64)
            #expect(
                try await database.expecting("\(line) --dry-run")
                    == "trades 6 to 7 of stream other would be given up\n")
            #expect(try gaps(database) == "6-7")
            #expect(
                try await database.expecting("\(line) --yes") == "trades 6 to 7 of stream other are given up\n")
            // Then
            #expect(try await database.expecting("feed status").contains("complete"))
            #expect(try await database.expecting("feed gaps").contains("skipped by"))
            #expect(try await database.expecting("feed gaps --open --json") == "[]\n")
            #expect(try database.value("select reason from operator_actions where action = 'skip'") == "never-sent")

            // When: one comes after all, and what comes next.
            for sequence in [6, 9] { try await endpoint.push(numbered(sequence)) }
            // Then
            try await eventually("they are counted") {
                try database.value("select newest from trade_streams") == "9"
            }
            #expect(try database.trades(.settled) == 7)
            #expect(try await database.expecting("feed status").contains("complete"))
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a worker that settles once counts what it settled before it ends`() async throws {
            let database = try await fundedDatabase()
            let trades = [2, 1, 4].map { numbered($0) + "\n" }.joined()
            #expect(try await Program.run(on: database, "trade", "submit", input: trades).exitCode == 0)
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            let status = try await database.typing("feed status")
            #expect(status.output.contains("lacks 1 trade in 1 gap"), "\(status)")
        }

        @Test func `a gap says how many of its trades have come and wait`() async throws {
            let database = try await fundedDatabase()
            try database.addMarket("BTC/EUR")
            try await deposit([("alice", "1000", "EUR")], in: database)
            #expect(try await database.typing("market halt BTC/USDT --reason test").exitCode == 0)
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            try await endpoint.push(numbered(1))
            try await endpoint.push(numbered(2))
            try await endpoint.push(numbered(4, market: "BTC/EUR"))
            try await eventually("all is counted") { try gaps(database) == "1-3" && database.trades(.pending) == 2 }
            #expect(try await database.expecting("feed gaps -o jsonl").contains(#""records":3,"waiting":2,"#))
            #expect(try await database.typing("market resume BTC/USDT --reason test").exitCode == 0)
            try await eventually("they are settled") { try gaps(database) == "3-3" }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `whatever the order and whoever settles, what is missing is what was not sent`() async throws {
            // Given
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let database = try TestDatabase()
            let load = TradeLoad(2_000, seed: seed, stream: "other")
            try await load.prepare(database)
            let isWithheld = load.trades.map { _ in Int.random(in: 0..<10, using: &generator) == 0 }
            let withheld = zip(load.trades, isWithheld).filter(\.1).map(\.0)
            let sent = zip(load.trades, isWithheld).filter { !$0.1 }.map(\.0)
            let endpoints = [Endpoint(), Endpoint()]
            var workers: [Program] = []
            for endpoint in endpoints { workers.append(try await Program.worker(on: database, intake: endpoint.name)) }

            // When
            for (number, endpoint) in endpoints.enumerated() {
                let half = sent.enumerated().filter { $0.offset % 2 == number }.map(\.element)
                try await endpoint.push(messages(of: half.shuffled(using: &generator), 1))
            }
            // Then
            let newest = sent.compactMap(\.sequence).max()!
            let missing = withheld.compactMap(\.sequence).filter { $0 < newest }
            try await eventually("all is counted") {
                try database.value(
                    """
                    select coalesce(sum(last_seq - first_seq + 1), 0) || ' ' || (select newest from trade_streams)
                      from trade_stream_gaps
                    """) == "\(missing.count) \(newest)"
            }
            let found = try database.value(
                """
                select string_agg(n::text, ' ' order by n)
                  from trade_stream_gaps, generate_series(first_seq, last_seq) n
                """)
            #expect(found == missing.map(String.init).joined(separator: " "))

            // When
            try await endpoints[0].push(messages(of: withheld, 1))
            // Then
            try await eventually("nothing is missing") {
                try database.trades(.settled) == load.trades.count && database.count("trade_stream_gaps") == 0
            }
            #expect(try database.value("select newest from trade_streams") == "\(load.trades.count)")
            for worker in workers { #expect(await worker.stop().exitCode == 0) }
            try expectSettledOnce(load, in: database)
        }

        @Test func `numbers that are no sequence are not counted, and those of engines that are followed neither`()
            async throws
        {
            // Given
            let database = try await fundedDatabase()
            let connection = try database.connect()
            let log = Log { _ in }
            func settle(_ sequences: [Int64], of stream: String) async throws {
                for sequence in sequences {
                    var trade = TradeLoad(1, accounts: 2, seed: 1, prefix: "\(stream)-\(sequence)").trades[0]
                    trade.buyer = Identifier("alice")!
                    trade.seller = Identifier("bob")!
                    trade.stream = Identifier(stream)
                    trade.sequence = sequence
                    _ = try await database.wallet().settle([SettlementItem(.trade(trade), origin: .message("test"))])
                }
            }
            var counting = StreamCounting(batchCountMax: 1, gapCountMax: 2)
            // When
            try database.execute("insert into feed_state (stream) values ('main')")
            try await settle([5, 3, 9, 0], of: "other")
            try await settle([7], of: "main")
            for _ in 0..<20 { _ = try counting.work(on: connection, log: log) }
            // Then
            #expect(try gaps(database) == "1-2 4-4 6-8" || database.count("trade_stream_gaps") == 0)
            let status = try await database.expecting("feed status")
            #expect(status.contains("not counted: it has more than 2 gaps, so its numbers are no sequence"))
            #expect(try database.count("trade_streams") == 1)

            // When
            try await settle([10], of: "other")
            var later = StreamCounting(batchCountMax: 1, gapCountMax: 2)
            for _ in 0..<20 { _ = try later.work(on: connection, log: log) }
            // Then
            #expect(try database.count("trade_stream_gaps") == 0)
            #expect(
                try database.value("select batch_no from trade_stream_count")
                    == (try database.value("select last_value from batch_numbers")))
            #expect(try database.violations() == [])
        }
    }
}
