import Foundation
import SettleTesting
import Testing
import TradeModel

/// The lines of an export in the order of their batches' numbers; its own is that of commits.
private func inOrderOfBatches(_ export: String) -> String {
    let lines = linesWithEnds(export)
    func batch(_ line: String) -> Int { Int(line.split(separator: ",")[1]) ?? -1 }
    let sorted = lines.enumerated().dropFirst().sorted { left, right in
        (batch(left.element), left.offset) < (batch(right.element), right.offset)
    }
    return lines.prefix(1).joined() + sorted.map { $0.element }.joined()
}

private func linesWithEnds(_ text: String) -> [String] {
    text.split(whereSeparator: \.isNewline).map { "\($0)\r\n" }
}

/// `settle worker --audit-csv`.
@Suite struct RunningCSVTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    private func read(_ path: String) throws -> String {
        try String(decoding: Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    private func lines(_ path: String) -> [String] {
        ((try? read(path)) ?? "").split(whereSeparator: \.isNewline).map(String.init)
    }

    private func prepared(_ count: Int) async throws -> TradeLoad {
        let load = TradeLoad(count, accounts: 20, seed: 7)
        try await load.prepare(database)
        return load
    }

    private func settled() async throws -> String { inOrderOfBatches(try await exported()) }

    private func exported() async throws -> String { try await database.expecting("export trades") }

    @Test func `each settled trade stands in it within a moment, as in an export, whoever settled it`() async throws {
        let load = try await prepared(30)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            // Given: what was settled before the file was there.
            try load.store(load.trades[0..<10], in: database)
            try await database.expecting("worker --once --log-level error")
            // When
            let worker = try await Program.worker(on: database, ["--audit-csv", path])
            try await eventually("the file has what was there") { lines(path).count == 11 }
            try load.store(load.trades[10..<20], in: database)
            try await eventually("the file has what came") { lines(path).count == 21 }
            _ = try await database.wallet().settle(
                load.trades[20..<25].map { .init(.trade($0), origin: .message("test")) })
            try await eventually("the file has what others settled") { lines(path).count == 26 }
            // Then
            #expect(try await read(path) == settled())
            // What is settled last is in it when the worker has ended.
            try load.store(load.trades[25...], in: database)
            try await eventually("all is settled") { try database.trades(.settled) == 30 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try await read(path) == settled())
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                    "audit.csv", "audit.csv.place",
                ])
        }
        #expect(try database.violations() == [])
    }

    @Test func `a worker that settles once leaves it complete, and from the environment too`() async throws {
        let load = try await prepared(10)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            try load.store(load.trades, in: database)
            let result = try await database.typing("worker --once --log-level error", ["SETTLE_AUDIT_CSV": path])
            #expect(result.exitCode == 0 && result.errors == "", "\(result.errors)")
            #expect(try await read(path) == settled())
            #expect(lines(path).count == 11)
        }
    }

    @Test func `what a crash tore off or left behind the place is cut and written anew`() async throws {
        let load = try await prepared(60)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            func settle(_ range: Range<Int>) async throws {
                try load.store(load.trades[range], in: database)
                try await database.expecting("worker --once --log-level error --batch 7 --audit-csv \(path)")
            }
            try await settle(0..<30)
            let whole = try read(path)
            #expect(try await whole == settled())
            // Lines that were not synced, the last of them torn.
            let more = lines(path).suffix(3).joined(separator: "\r\n").dropLast(20)
            try write(Array((whole + more).utf8), to: path)
            try await settle(30..<40)
            #expect(try await read(path) == settled())
            // Without its place, up to a torn line of the last batch or of any other.
            for size in [whole.utf8.count - 5, whole.utf8.count / 2, 900, 100] {
                try FileManager.default.removeItem(atPath: path + ".place")
                try write(Array(whole.utf8.prefix(size)), to: path)
                try await settle(40..<40)
                #expect(try await read(path) == settled(), "\(size)")
            }
            // Shorter than its place says, as from a backup.
            try write(Array(whole.utf8.prefix(2_000)), to: path)
            try await settle(40..<50)
            #expect(try await read(path) == settled())
            // A header that was torn.
            try FileManager.default.removeItem(atPath: path + ".place")
            try write(Array("committed_at,ba".utf8), to: path)
            try await settle(50..<60)
            #expect(try await read(path) == settled())
        }
        #expect(try database.violations() == [])
    }

    @Test func `a file with the lines of one batch that was copied goes on, and one that was cut short is refused`()
        async throws
    {
        let load = try await prepared(6)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            func settle(_ range: Range<Int>) async throws -> Program.Result {
                try load.store(load.trades[range], in: database)
                return try await database.typing("worker --once --log-level warning --audit-csv \(path)")
            }
            _ = try await settle(0..<2)
            try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            _ = try await settle(2..<4)
            // when: copied over itself, so that it is another file
            try FileManager.default.copyItem(atPath: path, toPath: path + ".new")
            #expect(rename(path + ".new", path) == 0)
            _ = try await settle(4..<5)
            // then
            let all = (lines(path + ".1").dropFirst() + lines(path).dropFirst()).map { $0 }
            let expected = try await settled().split(whereSeparator: \.isNewline).dropFirst().map(String.init)
            #expect(all == expected)
            // when: a line of the only batch is gone
            try FileManager.default.moveItem(atPath: path, toPath: path + ".2")
            _ = try await settle(5..<6)
            let whole = try read(path)
            try FileManager.default.removeItem(atPath: path)
            try write(Array(whole.utf8.dropLast(3)), to: path)
            // then
            let refused = try await settle(6..<6)
            #expect(refused.errors.contains("has less than"), "\(refused.errors)")
        }
        #expect(try database.violations() == [])
    }

    @Test func `a file that is moved away is followed by a new one, without a gap and without a repetition`()
        async throws
    {
        let load = try await prepared(400)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            let worker = try await Program.worker(on: database, ["--audit-csv", path, "--batch", "10"])
            for part in 0..<8 {
                try load.store(load.trades[part * 50..<part * 50 + 50], in: database)
                try await eventually("some of it is written") { lines(path).count > 1 }
                #expect(rename(path, "\(path).\(part)") == 0)
            }
            try await eventually("all is settled") { try database.trades(.settled) == 400 }
            // While none is running, too, with lines that had not become whole.
            await worker.stop()
            let kept = (try? read(path)) ?? ""
            if !kept.isEmpty {
                try write(Array((kept + "2026-01-02T03:04:05Z,99,BTC").utf8), to: path + ".new")
                let place = try read(path + ".place").split(separator: " ").map(String.init)
                var status = stat()
                #expect(stat(path + ".new", &status) == 0)
                let moved = place.prefix(4) + ["\(status.st_ino)\n"]
                try write(Array(moved.joined(separator: " ").utf8), to: path + ".place")
                try FileManager.default.removeItem(atPath: path)
                #expect(rename(path + ".new", path + ".8") == 0)
            }
            try await database.expecting("worker --once --log-level error --audit-csv \(path)")
            let files = (0...8).map { "\(path).\($0)" }.filter { FileManager.default.fileExists(atPath: $0) } + [path]
            let all = files.flatMap { lines($0).dropFirst() }
            let expected = try await settled().split(whereSeparator: \.isNewline).dropFirst().map(String.init)
            #expect(all == expected)
            #expect(lines(path).first?.hasPrefix("committed_at,batch,market,trade_id,") == true)
        }
        #expect(try database.violations() == [])
    }

    @Test func `a server's clock that goes back makes it miss nothing`() async throws {
        let load = try await prepared(30)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            // Given: what was settled says that it was an hour from now.
            try load.store(load.trades[0..<10], in: database)
            try await database.expecting("worker --once --log-level error")
            try database.execute("update batches set committed_at = committed_at + interval '1 hour'")
            let worker = try await Program.worker(on: database, ["--audit-csv", path])
            try await eventually("the file has what was there") { lines(path).count == 11 }
            // When
            try load.store(load.trades[10..<20], in: database)
            // Then
            try await eventually("the file has what came") { lines(path).count == 21 }
            await worker.stop()
            try load.store(load.trades[20...], in: database)
            try await database.expecting("worker --once --log-level error --audit-csv \(path)")
            let written = lines(path).dropFirst().map { $0.split(separator: ",").map(String.init) }
            #expect(written.map { $0[3] }.sorted() == load.trades.map(\.id.text).sorted())
            let batches = written.compactMap { Int($0[1]) }
            #expect(batches.count == 30 && batches == batches.sorted())
        }
        #expect(try database.violations() == [])
    }

    @Test(arguments: ["", "by-number 1970-01-01T00:00:00Z -1 "])
    func `a file of an earlier version, in the order of commits, is gone on with`(beginning: String) async throws {
        let load = try await prepared(60)
        try await withFolder { folder in
            // Given: the batch with the smallest number says that it was committed last.
            let path = folder + "/audit.csv"
            try load.store(load.trades[0..<40], in: database)
            try await database.expecting("worker --once --log-level error --batch 7")
            try database.execute(
                """
                update batches set committed_at = (select max(committed_at) + interval '1 microsecond' from batches)
                 where batch_no = (select min(batch_no) from batches where trades > 0)
                """)
            let all = linesWithEnds(try await exported())
            func fields(_ line: String) -> [Substring] { line.split(separator: ",") }
            let late = all.filter { fields($0)[1] == fields(all.last!)[1] }
            #expect(!late.isEmpty && late.count < 40)
            // The file ends before that batch, and the place says so as it was said then, or as an upgrade began.
            let old = all.dropLast(late.count)
            let last = fields(old.last!)
            try write(Array(old.joined().utf8), to: path)
            var status = stat()
            #expect(stat(path, &status) == 0)
            let (place, size) = ("\(last[0]) \(last[1])", "\(status.st_size) \(status.st_ino)")
            let content = beginning.isEmpty ? "\(place) \(size)\n" : "\(beginning)\(size) and-before \(place)\n"
            try write(Array(content.utf8), to: path + ".place")

            // When
            try await database.expecting("worker --once --log-level error --audit-csv \(path)")
            // Then
            #expect(try read(path) == (old + late).joined())
            #expect(try read(path + ".place").hasPrefix("by-number "))
            #expect(try !read(path + ".place").contains("and-before"))

            // And it goes on by number.
            try load.store(load.trades[40..<50], in: database)
            try await database.expecting("worker --once --log-level error --batch 3 --audit-csv \(path)")
            let longer = lines(path)
            #expect(longer.count == 51 && Set(longer).count == 51)
            #expect(try Set(longer) == Set(await settled().split(whereSeparator: \.isNewline).map(String.init)))

            // Without its place nobody can tell how far it goes.
            try FileManager.default.removeItem(atPath: path + ".place")
            let whole = try read(path)
            let lost = try await Program.worker(on: database, ["--audit-csv", path])
            #expect(await lost.waitFor("is in the order of commits, as an earlier version wrote it"))
            await lost.stop()
            #expect(try read(path) == whole)
        }
        #expect(try database.violations() == [])
    }

    @Test func `of several workers with one file one writes it, and another takes over`() async throws {
        let load = try await prepared(40)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            let first = try await Program.worker(on: database, ["--audit-csv", path])
            #expect(await first.waitFor("\"audit CSV\""))
            let second = try await Program.worker(on: database, ["--audit-csv", path])
            #expect(await second.waitFor("another process writes \(path)"))
            try load.store(load.trades[0..<20], in: database)
            try await eventually("the file has it") { lines(path).count == 21 }
            first.signal(SIGKILL)
            await first.wait()
            #expect(await second.waitFor("audit CSV is written again"))
            try load.store(load.trades[20...], in: database)
            try await eventually("the file has it") { lines(path).count == 41 }
            #expect(second.occurrences(of: "another process writes") == 1)
            await second.stop()
            #expect(try await read(path) == settled())
        }
        #expect(try database.violations() == [])
    }

    @Test func `what is in the way is said, and settling goes on`() async throws {
        let load = try await prepared(20)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            let nowhere = try await database.typing("worker --once --audit-csv \(folder)/no/audit.csv")
            #expect(nowhere.exitCode == 1)
            #expect(
                nowhere.errors.contains(
                    "settle: the audit CSV: cannot write \(folder)/no/audit.csv.place: no such folder"),
                "\(nowhere.errors)")
            try write(Array("id,name\n1,eve\n".utf8), to: path)
            let worker = try await Program.worker(on: database, ["--audit-csv", path])
            #expect(await worker.waitFor("does not begin with the columns of settled trades; move it away"))
            try load.store(load.trades[0..<10], in: database)
            try await eventually("it settles") { try database.trades(.settled) == 10 }
            #expect(try read(path) == "id,name\n1,eve\n")
            try FileManager.default.removeItem(atPath: path)
            try await eventually("the file has it") { lines(path).count == 11 }
            await worker.stop()

            // Of other books.
            let whole = try read(path)
            let content = try read(path + ".place").split(separator: " ").map(String.init)
            let others = content.prefix(2) + ["7777"] + content.dropFirst(3)
            try write(Array((others.joined(separator: " ") + "\n").utf8), to: path + ".place")
            let other = try await Program.worker(on: database, ["--audit-csv", path])
            #expect(await other.waitFor("goes up to batch 7777, which these books do not have"))
            await other.stop()
            #expect(try read(path) == whole)
        }
        #expect(try database.violations() == [])
    }

    @Test func `a full disk keeps nobody from settling, and what is missing follows`() async throws {
        let load = try await prepared(200)
        try await withFolder { folder in
            let path = folder + "/audit.csv"
            // Files of this process may not grow beyond so many kilobytes, which is what a full disk looks like.
            let shell = try Program(
                executable: "/bin/bash",
                ["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" worker --audit-csv \(path)", Program.path],
                wholeEnvironment: [
                    "DATABASE_URL": database.connectionString, "SETTLE_MIGRATIONS": migrationsDirectory,
                    "PATH": "/usr/bin:/bin",
                ])
            #expect(await shell.waitFor("worker started"))
            try load.store(load.trades, in: database)
            #expect(await shell.waitFor("audit CSV is not written"))
            try await eventually("it settles") { try database.trades(.settled) == 200 }
            await shell.stop()
            try await database.expecting("worker --once --log-level error --audit-csv \(path)")
            #expect(try await read(path) == settled())
            #expect(lines(path).count == 201)
        }
        #expect(try database.violations() == [])
    }
}

extension Processes {
    /// Kills over a load, beside no other tests.
    @Suite(.timeLimit(.minutes(5))) struct RunningCSVChaosTests {
        @Test func `workers that are killed again and again leave each trade in it once, in the order of batches`()
            async throws
        {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(2_400, accounts: 20, seed: seed)
            try await load.prepare(database)
            let environment = [
                "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "300", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "50",
                "SETTLE_SWEEP_INTERVAL_MILLISECONDS": "100",
            ]
            try await withFolder { folder in
                let path = folder + "/audit.csv"
                // One that only settles, so that batches come from several.
                let other = try await Program.worker(on: database, ["--batch", "9"], environment: environment)
                var sizes: [Int] = []
                func size() -> Int { (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0 }
                for round in 0..<12 {
                    try load.store(load.trades[round * 200..<round * 200 + 200], in: database)
                    let worker = try await Program.worker(
                        on: database, ["--batch", "13", "--audit-csv", path], environment: environment)
                    if round % 4 == 0 {
                        // However slow the machine is, it has written in some of the rounds.
                        try await eventually("it writes") { size() > sizes.last ?? 0 }
                    } else {
                        try await Task.sleep(for: .milliseconds(Int.random(in: 0...600)))
                    }
                    worker.signal(SIGKILL)
                    let result = await worker.wait()
                    #expect(result.wasKilled)
                    sizes.append(size())
                }
                print("sizes at each kill: \(sizes)")
                #expect(Set(sizes).count >= 3)
                let last = try await Program.worker(
                    on: database, ["--audit-csv", path], environment: environment)
                try await eventually("all is settled") { try database.trades(.settled) == 2_400 }
                let lastResult = await last.stop()
                #expect(lastResult.exitCode == 0, "\(lastResult.errors)")
                #expect(await other.stop().exitCode == 0)
                let audit = try String(decoding: Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
                let expected = try await database.expecting("export trades")
                #expect(audit == inOrderOfBatches(expected))
                #expect(Set(audit.split(whereSeparator: \.isNewline)).count == 2_401)
            }
            try expectSettledOnce(load, in: database)
        }
    }
}
