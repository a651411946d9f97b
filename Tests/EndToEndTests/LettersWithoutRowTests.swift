import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// Letters whose trades took no row, since there was no market then, when the same arrives again.
    @Suite(.timeLimit(.minutes(5))) struct LettersWithoutRowTests {
        private let database: TestDatabase
        private let endpoint = Endpoint()

        init() async throws {
            database = try TestDatabase()
            try await database.fund()
            try await database.expecting("asset add EUR --decimals 2")
            try await database.expecting("deposit alice 1000 EUR --id fund-eur")
        }

        private func line(_ id: String) -> String { tradeLine(id, market: "BTC/EUR") }

        private func push(_ ids: String...) async throws {
            try await endpoint.push(ids.map { Array(line($0).utf8) })
        }

        /// Parks trades of a market before it is added; of the letters an operator has then discarded the first, edited
        /// the second and purged the third.
        private func decide(_ ids: String...) async throws {
            for id in ids { _ = try await database.typing("trade submit", input: line(id)) }
            try await database.running(["dlq", "discard", "1", "3", "--reason", "never"])
            try await database.running(["dlq", "edit", "2", "--set", "price=10", "--reason", "typing error"])
            try database.execute("update dead_letters set changed_at = now() - interval '2 days' where letter_no = 3")
            try await database.expecting("dlq purge --older-than 1d --reason old --yes")
            try await database.expecting("market add BTC/EUR")
        }

        private func letters() throws -> String {
            try database.value(
                """
                select string_agg(concat_ws(' ', trade_id, status, class, case when stored then 'stored' end), ', '
                                  order by letter_no) from dead_letters
                """)
        }

        @Test func `once there is a market, what is open settles, and what operators decided stays decided`()
            async throws
        {
            try await decide("gone", "changed", "purged", "late", "plain")
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            // The worker knows the market before the next is discarded.
            try await push("first")
            try await eventually("the first is settled") { try database.trades(.settled) == 1 }
            try await database.running(["dlq", "discard", "4", "--reason", "never"])

            try await push("gone", "changed", "purged", "late", "plain", "last")
            try await eventually("the last is settled") {
                try database.count("trades where trade_id = 'last' and status = 'SETTLED'") == 1
            }
            #expect(
                try database.value("select string_agg(trade_id, ' ' order by trade_id) from trades")
                    == "first last plain")
            #expect(
                try letters() == "gone discarded unknown_market, changed open unknown_market, "
                    + "late discarded unknown_market, plain retried unknown_market stored")
            let shown = try await database.expecting("dlq show 5")
            #expect(shown.contains("settled by worker "), "\(shown)")
            #expect(shown.contains(": settled when it came again"), "\(shown)")
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])

            // What an operator brings back settles, each as it stands now; a sealed queue does not change what is
            // foretold.
            try await database.expecting("queue drain")
            for letter in ["1 --discarded", "2"] {
                #expect(try await database.expecting("dlq retry \(letter) --dry-run").contains("would settle"))
            }
            try await database.expecting("queue resume")
            #expect(try await database.expecting("dlq retry 1 --discarded").hasPrefix("1 retried: 1 settled"))
            #expect(try await database.expecting("dlq retry 2").hasPrefix("1 retried: 1 settled"))
            #expect(try database.value("select price from trades where trade_id = 'changed'") == "10")
            #expect(try database.violations() == [])
        }

        @Test func `rows that say what operators decided are not settled, and belong to the letters then`() async throws
        {
            try await decide("gone", "changed", "purged")
            _ = try await database.typing(
                "trade submit", input: line("gone") + line("changed") + line("purged") + line("new"))
            try await database.expecting("worker --once --log-level error")
            #expect(
                try database.value("select string_agg(trade_id, ' ') from trades where status = 'SETTLED'") == "new")
            #expect(try database.trades(.failed) == 3)
            #expect(
                try letters() == "gone discarded conflict stored, changed open conflict stored, "
                    + "purged open conflict stored")
            #expect(
                try database.value("select message from dead_letters where trade_id = 'purged'")
                    == "an operator has discarded this as dead letter 3")
            #expect(try database.violations() == [])
            #expect(try await database.expecting("dlq retry 2").hasPrefix("1 retried: 1 settled"))
            #expect(try database.value("select price from trades where trade_id = 'changed'") == "10")
            #expect(try await database.expecting("dlq retry 1 --discarded").hasPrefix("1 retried: 1 settled"))
            #expect(try database.violations() == [])
        }

        @Test func `what was received before an edit, or discarded, has no effect after a purge either`() async throws {
            // A trade that stands in trades, bytes that are no trade, and others that are given up.
            let received = tradeLine("t1", price: "5000") + tradeLine("t2", price: "-1") + "garbage\n"
            _ = try await database.typing("trade submit", input: received)
            try await database.expecting("worker --once --log-level error")
            for words in [["3", "--set", "price=10"], ["1", "--set", "price=20"]] {
                try await database.running(["dlq", "edit"] + words + ["--reason", "typing error"])
            }
            try await database.expecting("dlq retry 1 3")
            try await database.running(["dlq", "discard", "2", "--reason", "noise"])
            try database.execute("update dead_letters set changed_at = now() - interval '2 days'")
            #expect(
                try await database.expecting("dlq purge --older-than 1d --reason old --yes")
                    == "3 dead letters purged\n")
            let before = try database.contents()
            _ = try await database.typing("trade submit", input: received)
            try await database.expecting("worker --once --log-level error")
            #expect(try database.contents() == before)
            #expect(try database.violations() == [])
        }

        @Test func `a trade whose name an edit has left to it keeps it`() async throws {
            _ = try await database.typing("trade submit", input: tradeLine("1", price: "5000"))
            _ = try await database.typing("trade submit", input: tradeLine("1"))
            let rename = ["dlq", "edit", "1", "--set", "id=1-corrected", "--reason", "numbered twice"]
            // The other one only waits, and could still be taken away.
            let early = try await database.running(rename)
            #expect(early.exitCode == 1)
            #expect(
                early.errors.hasPrefix(
                    "settle: the trade that has taken the name BTC/USDT:1 still waits to be settled;"),
                "\(early.errors)")
            try await database.expecting("worker --once --log-level error")
            #expect(try await database.running(rename).exitCode == 0)
            #expect(try await database.expecting("dlq retry 1").hasPrefix("1 retried: 1 settled"))
            for status in [TradeStatus.failed, .pending] {
                #expect(try database.trades(status) == 1)
                #expect(throws: (any Error).self) { try database.execute("delete from trades where trade_id = '1'") }
                try database.execute(
                    "update dead_letters set status = 'retried' where letter_no = 2; "
                        + "update trades set status = 'PENDING', batch_no = null where trade_id = '1'")
            }
            #expect(try database.available("alice", "USDT") == "900.000000")
            #expect(try database.violations() == [])
        }

        @Test func `what cannot even be parked is said so, and keeps nobody else from being settled`() async throws {
            try database.execute(
                """
                create function refuse() returns trigger language plpgsql as $$
                begin
                    raise exception 'no letters today';
                end $$;
                create trigger refuse before insert on dead_letters for each row execute function refuse()
                """)
            try await database.expecting("deposit carol 1 USDT --id fund-carol")
            try await database.expecting("deposit dave 1 BTC --id fund-dave")
            _ = try await database.typing("trade submit", input: tradeLine("bad", buyer: "carol", seller: "dave"))
            let worker = try await Program.worker(on: database)
            #expect(await worker.waitFor("event=\"cannot be parked, is tried again and again\" trade=BTC/USDT:bad"))
            _ = try await database.typing("trade submit", input: tradeLine("good1") + tradeLine("good2"))
            try await eventually("the others are settled") { try database.trades(.settled) == 2 }
            try database.execute("drop trigger refuse on dead_letters")
            try await eventually("it is parked") { try database.trades(.failed) == 1 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }
    }
}
