import Foundation
import SettleTesting
import Testing

/// `settle verify --chain` and `settle audit seal`.
@Suite struct SealCommandTests {
    private func settled() async throws -> TestDatabase {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1"))
        try await database.expecting("worker --once --log-level error")
        return database
    }

    private func head(_ database: TestDatabase) throws -> String {
        try database.value(
            "select seal_no || ':' || encode(chain, 'hex') from ledger_seals order by seal_no desc limit 1")
    }

    @Test func `what is there is sealed and found as it was, in text and JSON`() async throws {
        let database = try TestDatabase()
        let nothing =
            "All is as it was sealed: 0 seals over 0 batches, 0 ledger entries, 0 settled trades, 0 operations.\n"
        #expect(try await database.expecting("verify --chain") == nothing + "Everything is sealed.\n")
        #expect(try await database.expecting("audit seal") == "Everything is sealed.\n")
        try await database.fund()
        let unsealed = try await database.expecting("verify --chain").withoutTimes
        #expect(unsealed == nothing + "Not sealed yet: 2 batches with 4 ledger entries, the oldest from TIME.\n")
        #expect(try await database.expecting("audit seal --dry-run") == "would seal 2 batches with 4 ledger entries\n")
        #expect(try database.count("ledger_seals") == 0)
        let sealed = try await database.expecting("audit seal")
        #expect(try sealed == "sealed 2 batches with 4 ledger entries in 1 seal\nHead: \(head(database))\n")
        #expect(
            try await database.expecting("verify --chain")
                == """
                All is as it was sealed: 1 seal over 2 batches, 4 ledger entries, 0 settled trades, 2 operations.
                Everything is sealed.
                Head: \(head(database))

                """)
        let hash = try head(database).dropFirst(2)
        #expect(
            try await database.expecting("verify --chain --json") == """
                {
                  "clean": true,
                  "complete": true,
                  "seals": 1,
                  "batches": 2,
                  "entries": 4,
                  "settled_trades": 0,
                  "operations": 2,
                  "reversals": 0,
                  "head": {
                    "seal": 1,
                    "hash": "\(hash)"
                  },
                  "unsealed": {
                    "batches": 0,
                    "entries": 0,
                    "oldest": null
                  },
                  "findings": []
                }

                """)
        #expect(
            try await database.expecting("audit seal --json").contains(
                "\"seals\": 0,\n  \"batches\": 0,\n  \"entries\": 0"))
        #expect(try database.violations() == [])
    }

    @Test func `what was changed is named, with its seal, its batches and their times`() async throws {
        let database = try await settled()
        try await database.expecting("audit seal")
        let batch = try database.value("select batch_no from trades")
        let last = try database.value("select next_batch - 1 from ledger_seals")
        try database.damage("delete from ledger_entries where batch_no = \(batch) and place = 1")
        let text = try await database.typing("verify --chain")
        #expect(text.exitCode == 3)
        #expect(text.errors == "settle: the books are not as they were sealed\n")
        let place = "seal 1 (batches 0 to \(last), committed TIME to TIME): "
        #expect(
            try text.output.withoutTimes == """
                \(place)ledger entries: 8 sealed, 7 now
                \(place)batch \(batch): its entries do not sum to zero
                \(place)batch \(batch): says 4 entries, has 3
                3 findings in 1 seal over 3 batches, 8 ledger entries, 1 settled trade, 2 operations.
                Everything is sealed.
                Head: \(head(database))

                """)
        let json = try await database.typing("verify --chain -o jsonl")
        #expect(json.exitCode == 3)
        #expect(
            json.output.withoutTimes.contains(
                """
                "findings":[{"seal":1,"first_batch":0,"next_batch":\(Int(last)! + 1),"since":"TIME","until":"TIME",\
                "changed":"entries","batch":null,"detail":"8 sealed, 7 now"},
                """))
    }

    @Test func `a head that was noted is looked for, and seals before a first one are left alone`() async throws {
        let database = try await settled()
        try await database.expecting("audit seal")
        let noted = try head(database)
        try await database.expecting("deposit carol 1 USDT --id d3")
        try await database.expecting("audit seal")
        try await database.expecting("verify --chain --expect \(noted) --expect \(head(database))")
        #expect(try await database.expecting("verify --chain --from-seal 2").contains("sealed: 1 seal over 1 batch,"))
        try database.damage("truncate ledger_seals; update trades set price = 101")
        #expect(try await database.typing("verify --chain --expect \(noted)").exitCode == 3)
        try await database.expecting("audit seal")
        try await database.expecting("verify --chain")
        let found = try await database.typing("verify --chain --expect \(noted)")
        #expect(found.exitCode == 3)
        #expect(
            try found.output.hasPrefix(
                "seal 1 has the hash \(head(database).dropFirst(2)), not the noted \(noted.dropFirst(2))\n"))
        #expect(try await database.typing("verify --chain --from-seal 9").exitCode == 5)
    }

    @Test(arguments: [
        "verify --expect 1:00", "verify --from-seal 1", "verify --chain --from-seal 0", "verify --chain --expect x",
        "verify --chain --from-seal 3 --expect 1:" + String(repeating: "0", count: 64), "audit", "audit seal now",
    ])
    func `what makes no sense is refused`(line: String) async throws {
        let database = try TestDatabase()
        #expect(try await database.typing(line).exitCode == 64)
    }

    @Test func `workers seal what they settle, and a bundle of it is right`() async throws {
        // Given: enough to make a stretch full.
        let database = try TestDatabase()
        let load = TradeLoad(4_200, seed: 77)
        try await load.prepare(database)
        let workers = [
            try await Program.worker(on: database, ["--batch", "50"]),
            try await Program.worker(on: database, ["--batch", "50"]),
        ]
        try load.store(load.trades, in: database)
        try await eventually("all trades are settled") { try database.trades(.settled) == 4_200 }
        // Then
        try await eventually("a stretch is sealed, or several where a minute has gone by", timeout: .seconds(150)) {
            try database.value("select sum(entries) > 10000 and max(batches) > 1 from ledger_seals") == "true"
        }
        for worker in workers { await worker.stop() }
        try await database.expecting("verify --chain")
        try await database.expecting("audit seal")
        try await database.expecting("verify --chain")
        #expect(try database.violations() == [])

        // When: the day is over.
        try database.damage(
            """
            truncate ledger_seals;
            update batches set committed_at = committed_at - interval '3 days'
            """)
        try await database.expecting("audit seal")
        let day = try database.value("select (min(committed_at) at time zone 'UTC')::date from batches")
        try await withFolder { folder in
            try await database.expecting("export audit --day \(day) -O \(folder)/bundle")
            let check = try await Program.run("audit", "check", folder + "/bundle")
            #expect(check.exitCode == 0, "\(check.output)")
            #expect(try database.count("ledger_seals") == 2)
        }
    }
}
