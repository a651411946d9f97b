import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// `settle market halt` and `resume`, with a worker at it.
    @Suite(.timeLimit(.minutes(5))) struct MarketHaltCommandTests {
        @Test func `a halted market's trades wait and settle in order when it goes on`() async throws {
            let database = try TestDatabase()
            try await database.fund()
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: database, intake: endpoint.name, environment: ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "100"])
            #expect(
                try await database.expecting("market halt BTC/USDT --reason prices")
                    == "market BTC/USDT is halted; 0 trades of it PENDING\n")
            let trades = (1...30).map { trade("m\($0)", price: "10", quantity: "0.1", buyer: "alice", seller: "bob") }
            try await endpoint.push(trades.prefix(20))
            try await database.expecting(
                "trade submit -", input: (21...30).map { tradeLine("m\($0)", price: "10", quantity: "0.1") }.joined())
            try await eventually("all wait") { try database.trades(.pending) == 30 }
            let batches = try database.count("batches")
            // Longer than some sweeps: nobody looks again and again at what must wait.
            try await Task.sleep(for: .milliseconds(400))
            #expect(try database.count("batches") == batches)
            #expect(try database.count("dead_letters") == 0)
            #expect(try await database.expecting("market list").contains("halted"))
            let user = try database.value("select actor from operator_actions")
            let repeated = try await database.typing("market halt BTC/USDT --reason again")
            #expect(
                repeated.output.withoutTimes
                    == "market BTC/USDT is halted already (since TIME by \(user): prices); 30 trades of it PENDING\n")
            #expect(repeated.errors == "Next: settle market resume BTC/USDT --reason '…'\n")
            let again = try await database.expecting("market halt BTC/USDT --reason again -o jsonl").withoutTimes
            #expect(
                again == """
                    {"symbol":"BTC/USDT","halted":true,"changed":false,"pending":30,"pending_has_more":false,"oldest_pending_at":"TIME"}

                    """)

            #expect(
                try await database.expecting("market resume BTC/USDT --reason mended")
                    == "market BTC/USDT goes on; 30 trades of it PENDING\n")
            try await eventually("all is settled") { try database.trades(.settled) == 30 }
            #expect(
                try database.value(
                    "select count(*) from (select received_seq > lag(received_seq) over (order by e.batch_no, e.place) "
                        + "as in_order from ledger_entries e join trades on trade_id = cause_id "
                        + "where account_no = (select account_no from accounts where id = 'bob') and available_delta < 0) o "
                        + "where not in_order") == "0")
            #expect(await worker.stop().exitCode == 0)
            #expect(
                try database.value(
                    "select string_agg(action || ' ' || subject || ' ' || reason, ', ' order by action_no) "
                        + "from operator_actions")
                    == "halt market BTC/USDT prices, resume market BTC/USDT mended")
            #expect(try database.violations() == [])
        }

        @Test func `after a halt no trade of the market commits any more, under full load`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(8_000, accounts: 20, seed: seed)
            try await load.prepare(database)
            try load.store(load.trades, in: database)
            let workers = [
                try await Program.worker(on: database, ["--batch", "10"]),
                try await Program.worker(on: database, ["--batch", "10"]),
            ]
            for round in 1...3 {
                try await eventually("they work") { try database.trades(.settled) > round * 200 }
                try await database.expecting("market halt BTC/USDT --reason test")
                let settled = try database.trades(.settled)
                try await Task.sleep(for: .milliseconds(300))
                #expect(try database.trades(.settled) == settled)
                try await database.expecting("market resume BTC/USDT --reason test")
            }
            try await eventually("all is settled") { try database.trades(.settled) == 8_000 }
            for worker in workers { #expect(await worker.stop().exitCode == 0) }
            try expectSettledOnce(load, in: database)
        }

        @Test func `a dry run, an unknown market and a missing reason change nothing`() async throws {
            let database = try TestDatabase()
            try database.addMarket()
            #expect(
                try await database.expecting("market halt BTC/USDT --reason x --dry-run")
                    == "market BTC/USDT would be halted; 0 trades of it PENDING\n")
            #expect(
                try await database.expecting("market resume BTC/USDT --reason x --dry-run")
                    == "market BTC/USDT is not halted; 0 trades of it PENDING\n")
            #expect(
                try await database.expecting("market halt BTC/USDT --reason x --dry-run --json").contains(
                    "would_change"))
            let unknown = try await database.typing("market halt ETH/USDT --reason x")
            #expect(unknown.exitCode == 5)
            #expect(
                unknown.errors
                    == "settle: there is no market ETH/USDT. Did you mean 'BTC/USDT'? "
                    + "'settle market list' shows those there are\n")
            for bad in [
                "market halt BTC/USDT", "market halt --reason x", "market resume BTC/USDT",
                "market halt BTC --reason x",
            ] {
                #expect(try await database.typing(bad).exitCode == 64, "\(bad)")
            }
            #expect(try database.count("operator_actions") == 0)
            #expect(try database.count("markets where halted") == 0)
        }
    }
}
