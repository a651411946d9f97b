import Foundation
import SettleTesting
import Testing
import TradeModel

/// `settle export`.
@Suite struct ExportCommandTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    private func records(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    /// Where an export says that the next one goes on.
    private func end(of result: Program.Result) throws -> String {
        try #require(
            result.errors.firstMatch(of: /Go on with --since (\S+)\n/).map { String($0.1) }, "\(result.errors)")
    }

    @Test func `entries and trades are exported in plain ids and decimals`() async throws {
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("9,\\\"x\\\"", price: "100.5"))
        try await database.expecting("worker --once --log-level error")
        let batches = try database.value("select string_agg(batch_no::text, ' ' order by committed_at) from batches")
            .split(separator: " ")
        #expect(
            try await database.expecting("export ledger").replacing("\r\n", with: "\n").withoutTimes == """
                committed_at,batch,place,account,asset,version,entry,market,cause,available_change,frozen_change,available_after,frozen_after
                TIME,\(batches[0]),0,alice,USDT,1,deposit,,fund-alice,1000.000000,0.000000,1000.000000,0.000000
                TIME,\(batches[0]),1,world/0,USDT,1,deposit,,fund-alice,-1000.000000,0.000000,-1000.000000,0.000000
                TIME,\(batches[1]),0,bob,BTC,1,deposit,,fund-bob,10.00000000,0.00000000,10.00000000,0.00000000
                TIME,\(batches[1]),1,world/0,BTC,1,deposit,,fund-bob,-10.00000000,0.00000000,-10.00000000,0.00000000
                TIME,\(batches[2]),0,alice,USDT,2,trade,BTC/USDT,"9,""x\""",-100.500000,0.000000,899.500000,0.000000
                TIME,\(batches[2]),1,bob,BTC,2,trade,BTC/USDT,"9,""x\""",-1.00000000,0.00000000,9.00000000,0.00000000
                TIME,\(batches[2]),2,alice,BTC,1,trade,BTC/USDT,"9,""x\""",1.00000000,0.00000000,1.00000000,0.00000000
                TIME,\(batches[2]),3,bob,USDT,1,trade,BTC/USDT,"9,""x\""",100.500000,0.000000,100.500000,0.000000

                """)
        let trades = try await database.typing("export trades --format jsonl")
        #expect(
            trades.output.withoutTimes == """
                {"committed_at":"TIME","batch":\(batches[2]),"market":"BTC/USDT","trade_id":"9,\\"x\\"","price":"100.5",\
                "quantity":"1","quote":"100.500000","buyer_id":"alice","seller_id":"bob","buyer_fee":"0","seller_fee":"0",\
                "buy_order_id":null,"sell_order_id":null,"taker":null,"executed_at":null,"received_at":"TIME",\
                "stream":null,"seq":null}

                """)
        #expect(
            trades.errors.withoutTimes == "1 record. Its last batch is \(batches[2]). Go on with --since TIME\n")
        #expect(try await database.expecting("export trades -o jsonl") == trades.output)
        #expect(try await database.expecting("export ledger --after \(batches[2]) --format jsonl") == "")
        #expect(try await database.expecting("export ledger --after \(batches[1]) -o jsonl").contains("\"place\":3"))
        #expect(try await database.expecting("export trades --until 2026-01-01").hasPrefix("committed_at,batch,market"))
        #expect(try database.violations() == [])
    }

    @Test func `exports of one window after the other have what one export has, while a worker settles`() async throws {
        let load = TradeLoad(4_000, seed: 9)
        try await load.prepare(database)
        let worker = try await Program.worker(
            on: database, ["--batch", "20", "--concurrency", "4", "--connections", "4"])
        var windows: [String] = []
        var since = "1970-01-01"
        for part in 0..<8 {
            try load.store(load.trades[part * 500..<part * 500 + 500], in: database)
            let result = try await database.typing("export ledger --format jsonl --since \(since)")
            #expect(result.exitCode == 0, "\(result.errors)")
            windows += records(result.output)
            since = try end(of: result)
        }
        try await eventually("all trades are settled") { try database.trades(.settled) == 4_000 }
        let last = try await database.typing("export ledger --format jsonl --since \(since)")
        windows += records(last.output)
        let until = try end(of: last)
        await worker.stop()

        let whole = records(try await database.expecting("export ledger --format jsonl --until \(until)"))
        #expect(windows == whole)
        #expect(try whole.count == database.count("ledger_entries"))
        #expect(try database.count("batches") > 100)

        let trades = records(try await database.expecting("export trades --format jsonl"))
        #expect(trades.count == 4_000)
        #expect(Set(trades).count == 4_000)

        // What was exported is the books: it sums to zero in each asset, and ends with the balances.
        try await withFolder { folder in
            let path = folder + "/ledger.csv"
            try await database.expecting("export ledger -O \(path)")
            try await database.expecting("export ledger -O \(path).jsonl")
            let named = try String(contentsOfFile: "\(path).jsonl", encoding: .utf8)
            #expect(named.hasPrefix(#"{"committed_at":"#), "\(named)")
            let csv = try String(contentsOfFile: path, encoding: .utf8)
            var sums: [String: Int] = [:]
            var balances: [String: (version: Int, available: String)] = [:]
            for line in csv.replacing("\r\n", with: "\n").split(separator: "\n").dropFirst() {
                let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                sums[fields[4], default: 0] += Int(fields[9].replacing(".", with: ""))!
                let (key, version) = ("\(fields[3]) \(fields[4])", Int(fields[5])!)
                #expect(version == (balances[key]?.version ?? 0) + 1, "\(key)")
                balances[key] = (version, fields[11])
            }
            #expect(sums.values.allSatisfy { $0 == 0 })
            for account in load.accounts.prefix(10) {
                #expect(try database.available(account.text, "USDT") == balances["\(account) USDT"]?.available)
                #expect(try database.available(account.text, "BTC") == balances["\(account) BTC"]?.available)
            }
        }
        #expect(try database.violations() == [])
    }

    @Test func `a batch that is not committed yet is waited for, and belongs to this export`() async throws {
        try await database.fund()
        let slow = try database.connect()
        try slow.script(
            """
            set idle_in_transaction_session_timeout = 0;
            begin; insert into batches (batch_no, trades, operations, rejected, entries)
            values (nextval('batch_numbers'), 0, 0, 0, 0)
            """)
        let export = try Program(
            ["export", "ledger", "--format", "jsonl"], environment: ["DATABASE_URL": database.connectionString])
        // By a thread of its own: the export waits for ten seconds, and the others may be taken for longer.
        nonisolated(unsafe) let waited = slow
        let wasRunning = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { [database] in
                continuation.resume(
                    with: Result {
                        let begun = """
                            select count(*) from pg_stat_activity
                             where query like '%virtualtransaction = any%' and pid <> pg_backend_pid()
                               and datname = current_database()
                            """
                        while export.isRunning, try database.value(begun) == "0" { usleep(10_000) }
                        defer { try? waited.script("commit") }
                        return export.isRunning
                    })
            }
        }
        #expect(wasRunning)
        let result = await export.wait()
        #expect(result.exitCode == 0)
        let batch = try database.value("select max(batch_no) from batches")
        #expect(result.errors.hasPrefix("4 records. Its last batch is \(batch). "))
        #expect(try database.violations() == [])
    }

    @Test func `a file appears when it is complete, and replaces another only when that is wanted`() async throws {
        try await database.fund()
        try await withFolder { folder in
            let path = folder + "/out.csv"
            let first = try await database.typing("export ledger --output-file \(path)")
            #expect(first.output == "")
            let content = try String(contentsOfFile: path, encoding: .utf8)
            #expect(try await content == database.expecting("export ledger"))
            try write(Array("mine".utf8), to: path)
            let refused = try await database.typing("export ledger -O \(path)")
            #expect(refused.exitCode == 1)
            #expect(refused.errors == "settle: \(path) exists. Give another name, or --force to replace it.\n")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
            try await database.expecting("export ledger -O \(path) --force")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["out.csv"])
            let nowhere = try await database.typing("export ledger -O \(folder)/no/out.csv")
            #expect(nowhere.exitCode == 1)
            #expect(nowhere.errors.contains("cannot write \(folder)/no/out.csv: no such folder"))
        }
        #expect(try database.violations() == [])
    }

    @Test(arguments: [
        ("export ledger --after 17", 5, "there is no batch 17"),
        ("export ledger --after 1 --since 1h", 64, "'--since' goes without '--after'"),
        ("export trades --since 1h --until 2h", 64, "'--until' is before '--since'"),
        ("export trades --format xml", 64, "expected csv or jsonl"), ("export trades --force", 64, "'--output-file'"),
        ("export trades -o json", 64, "csv or jsonl"), ("export", 64, "needs a command: trades, ledger or audit"),
        ("export dust", 64, "dust"),
    ])
    func `what cannot be exported is told in one line`(line: String, exit: Int, message: String) async throws {
        let result = try await database.typing(line)
        #expect(Int(result.exitCode) == exit)
        #expect(result.output == "")
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    @Test func `a reader that has enough ends the export quietly`() async throws {
        let load = TradeLoad(3_000, seed: 2)
        try await load.prepare(database)
        try load.store(load.trades, in: database)
        try await database.expecting("worker --once --log-level error")
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", "set -o pipefail; '\(Program.path)' export ledger | head -n 1; echo ${PIPESTATUS[0]}"]
        shell.environment = ["DATABASE_URL": database.connectionString, "SETTLE_MIGRATIONS": migrationsDirectory]
        let (output, errors) = (Pipe(), Pipe())
        shell.standardOutput = output
        shell.standardError = errors
        try shell.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        shell.waitUntilExit()
        #expect(text.hasPrefix("committed_at,"))
        #expect(complaint == "")
        #expect(try database.violations() == [])
    }
}
