import SettleTesting
import Testing

/// `settle deposit --file` and `settle withdraw --file`: NDJSON, from files and standard input.
@Suite struct MoneyFileTests {
    private func line(_ id: String, _ account: String, _ amount: String, _ asset: String = "USDT") -> String {
        #"{"id":"\#(id)","account_id":"\#(account)","asset":"\#(asset)","amount":"\#(amount)"}"#
    }

    @Test func `a file with everything that files suffer from is taken line by line`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await withFolder { folder in
            let path = folder + "/deposits.ndjson"
            var bytes: [UInt8] = [0xEF, 0xBB, 0xBF]
            bytes += Array((line("1", "alice", "10") + "\r\n\r\n\n").utf8)
            bytes += Array(("garbage\n" + line("2", "alice", "1e5") + "\n").utf8)
            bytes += [0xFF, 0xFE, 0x0A]
            bytes += Array((line("3", "alice", "0.0000001") + "\n" + line("4", "alice", "1", "NOPE") + "\n").utf8)
            bytes += Array((line("1", "alice", "10") + "\n" + line("1", "alice", "11") + "\n").utf8)
            bytes += Array(line("5", "алиса", "2").utf8)
            try write(bytes, to: path)

            let dryRun = try await database.typing("deposit --file \(path) --dry-run --json")
            #expect(dryRun.exitCode == 1)
            #expect(dryRun.output.hasPrefix("{\n  \"would_apply\": 2,\n  \"duplicates\": 1,\n  \"refused\": 6,\n"))
            let lines = [4, 5, 6, 7, 8, 10]
            #expect(dryRun.output.matches(of: /"line": (\d+)/).map { Int($0.1) } == lines)
            #expect(dryRun.output.contains("\"class\": \"conflict\""))
            #expect(dryRun.output.hasSuffix("  \"refusals_has_more\": false\n}\n"))
            #expect(try database.value("select count(*) from operations") == "0")

            let result = try await database.typing("deposit --file \(path)")
            #expect(result.exitCode == 1)
            #expect(result.output == "2 deposits carried out, 1 was there already, 6 refused\n")
            #expect(result.errors.matches(of: #/\bline (\d+): /#).map { Int($0.1) } == lines)
            #expect(
                result.errors.hasSuffix(
                    "settle: 6 lines were refused; mend the file and give it again: what was carried out has no effect "
                        + "twice\n"))

            let again = try await database.typing("deposit --file \(path)")
            #expect(again.output == "0 deposits carried out, 3 were there already, 6 refused\n")
        }
        #expect(try database.available("alice", "USDT") == "10.000000")
        #expect(try database.available("алиса", "USDT") == "2.000000")
        #expect(try database.violations() == [])
    }

    @Test func `standard input is a file, and an empty one is nothing`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let lines = (1...1_200).map { line("d\($0)", "a\($0 % 7)", "1") }.joined(separator: "\n")
        let result = try await database.typing("deposit --file -", input: lines)
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(result.output == "1,200 deposits carried out, 0 were there already, 0 refused\n")
        #expect(
            try await database.typing("deposit --file -", input: "").output
                == "0 deposits carried out, 0 were there already, 0 refused\n")
        let withdrawal = try await database.typing(
            "withdraw --file - -o jsonl", input: line("w1", "a1", "1") + "\n" + line("w2", "a1", "1000000"))
        #expect(withdrawal.exitCode == 1)
        #expect(
            withdrawal.output.hasPrefix(
                #"{"applied":1,"duplicates":0,"refused":1,"refusals":[{"line":2,"class":"insufficient_funds","message":"#
            ))
        #expect(withdrawal.errors.contains("line 2: account a1 has "))
        #expect(try database.violations() == [])
    }

    @Test func `a dry run of a file counts with what its lines before would do, and changes nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let before = try database.contents()
        let lines =
            (1...1_200).map { line("w\($0)", "alice", "1") } + [
                line("w1", "alice", "1"), line("fund-alice", "bob", "1"),
            ]
        let dryRun = try await database.typing("withdraw --file - --dry-run", input: lines.joined(separator: "\n"))
        #expect(dryRun.exitCode == 1)
        #expect(dryRun.output == "1,000 withdrawals would be carried out, 1 was there already, 201 refused\n")
        #expect(dryRun.errors.contains("line 1001: account alice has 0.000000 USDT available"))
        #expect(dryRun.errors.contains("line 1202: id fund-alice was used before, for a deposit of "))
        #expect(dryRun.errors.hasSuffix("settle: 201 lines would be refused\n"))
        #expect(try database.contents() == before)
        let real = try await database.typing("withdraw --file -", input: lines.joined(separator: "\n"))
        #expect(real.output == "1,000 withdrawals carried out, 1 was there already, 201 refused\n")
        #expect(try database.violations() == [])
    }

    @Test func `an overlong line is one refused line, and its tail is not read as another`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await withFolder { folder in
            let path = folder + "/long.ndjson"
            let long = String(repeating: "x", count: 5 << 20) + line("tail", "alice", "1")
            // The tail stands right where a reader in pieces would begin its last one.
            let sneaky = String(repeating: "x", count: 9 << 18) + line("sneak", "alice", "1")
            try write(Array("\(long)\n\(line("2", "alice", "3"))\n\(sneaky)\n".utf8), to: path)
            let result = try await database.typing("deposit --file \(path)")
            #expect(result.output == "1 deposit carried out, 0 were there already, 2 refused\n")
            #expect(result.errors.contains("line 1: "))
            #expect(result.errors.contains("line 3: "))
        }
        #expect(try database.available("alice", "USDT") == "3.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a file that cannot be read is named before anything is done`() async throws {
        let database = try TestDatabase()
        for command in ["deposit --file ", "withdraw --file ", "trade submit "] {
            let missing = try await database.typing(command + "/nonexistent/file")
            #expect(missing.exitCode == 64)
            #expect(missing.errors == "settle: cannot read /nonexistent/file: no such file\n")
            let folder = try await database.typing(command + "/")
            #expect(folder.exitCode == 64)
            #expect(folder.errors == "settle: cannot read /: it is a folder\n")
        }
        let both = try await database.typing("deposit alice 1 USDT --id k --file x")
        #expect(both.exitCode == 64)
    }
}
