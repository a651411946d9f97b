import AuditTrail
import Foundation
import ServiceKit
import SettleTesting
import Testing

/// `settle export audit` and `settle audit check`: what is handed to an auditor, and what is found in it.
@Suite struct AuditBundleTests {
    private static let day = "2020-01-31"

    /// Money on the day before, trades on the day, and more money on the day after; all in seals of their own or,
    /// where that is wanted, in one.
    private static func books(sealed inOne: Bool = false) async throws -> TestDatabase {
        let database = try TestDatabase()
        func date(_ day: String) async throws {
            // In the order of their numbers; nothing of today is left.
            try database.execute(
                """
                update batches set committed_at = '\(day)T10:00:00Z'::timestamptz + batch_no * interval '1 second'
                 where committed_at > '2021-01-01'
                """)
            if !inOne { try await database.expecting("audit seal") }
        }
        try await database.fund()
        try await date("2020-01-30")
        _ = try await database.typing(
            "trade submit", input: tradeLine("t1", price: "100.5") + tradeLine("t\\u00e9,\\\"2\\\\", quantity: "0.25"))
        try await database.expecting("worker --once --log-level error")
        try await database.expecting("withdraw bob 1.5 USDT --id w1")
        try await database.expecting("trade reverse t1 --reason slip")
        try await date(day)
        try await database.expecting("deposit carol 3 USDT --id d3")
        try await date("2020-02-01")
        if inOne { try await database.expecting("audit seal") }
        return database
    }

    /// One bundle for all tests that damage copies of it.
    private static let bundle = Task {
        let database = try await books()
        let folder = "/tmp/settle-bundle-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // It goes with the process.
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/settle-bundle-\(getpid())") }
        for day in ["2020-01-30", day, "2020-02-01"] {
            _ = try await database.running(["export", "audit", "--day", day, "-O", "\(folder)/\(day)"])
        }
        return folder
    }

    /// A copy of the bundle of the day, to be damaged.
    private func withCopy<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let original = try await Self.bundle.value + "/" + Self.day
        return try await withFolder { folder in
            try FileManager.default.copyItem(atPath: original, toPath: folder + "/bundle")
            return try await body(folder + "/bundle")
        }
    }

    private func findings(_ folder: String, noted: [SealMark] = [], after: String? = nil) -> [String] {
        do {
            let check = try BundleCheck(folder, noted: noted)
            try check.run(after: after)
            return check.findings.map { "\($0.file)\($0.line.map { ":\($0)" } ?? ""): \($0.detail)" }
        } catch {
            return ["\(error)"]
        }
    }

    private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// Edits a file and, as somebody would who knows what a manifest is, the manifest.
    private func edit(_ folder: String, _ name: String, _ change: (inout [String]) -> Void) throws {
        let text = String(decoding: try bytes("\(folder)/\(name)"), as: UTF8.self)
        var lines = text.split(separator: "\n").map(String.init)
        change(&lines)
        let edited = Array(lines.map { $0 + "\n" }.joined().utf8)
        try write(edited, to: "\(folder)/\(name)")
        let hash = SHA256()
        hash.update(edited)
        try editManifest(folder) { manifest in
            var files = manifest["files"] as? [[String: Any]] ?? []
            for index in files.indices where files[index]["name"] as? String == name {
                files[index]["sha256"] = "\(hash.finish())"
                files[index]["lines"] = lines.count
                files[index]["bytes"] = edited.count
            }
            manifest["files"] = files
        }
    }

    private func editManifest(_ folder: String, _ change: (inout [String: Any]) -> Void) throws {
        let path = folder + "/manifest.json"
        var manifest = try JSONSerialization.jsonObject(with: Data(bytes(path))) as? [String: Any] ?? [:]
        change(&manifest)
        try write(Array(JSONSerialization.data(withJSONObject: manifest)), to: path)
    }

    // MARK: What is right

    @Test func `a day is exported, and checked where there is no database`() async throws {
        let database = try await Self.books()
        let head = try database.value(
            "select seal_no || ':' || encode(chain, 'hex') from ledger_seals where seal_no = 2")
        let first = try database.value(
            "select seal_no || ':' || encode(chain, 'hex') from ledger_seals where seal_no = 1")
        try await withFolder { folder in
            let path = folder + "/january-31"
            let export = try await database.typing("export audit --day \(Self.day) -O \(path)")
            #expect(export.exitCode == 0, "\(export.errors)")
            #expect(
                export.output.replacing(/\d+ lines/, with: "N lines") == "\(path): 1 seal, N lines\nHead: \(head)\n")
            #expect(export.errors == "Next: settle audit check \(path)\n")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
                    "assets.tsv", "balances.tsv", "batches.tsv", "entries.tsv", "manifest.json", "markets.tsv",
                    "operations.tsv", "reversals.tsv", "seals.tsv", "trades.tsv",
                ])
            let check = try await Program.run("audit", "check", path)
            #expect(
                check.output == """
                    The bundle is right: 1 seal, from 2020-01-31T00:00:00.000000Z to 2020-02-01T00:00:00.000000Z.
                    Before: \(first)
                    Head: \(head)

                    """, "\(check.errors)")
            #expect(check.exitCode == 0)
            #expect(
                try await Program.run("audit", "check", path, "--json").output == """
                    {
                      "clean": true,
                      "complete": true,
                      "since": "2020-01-31T00:00:00.000000Z",
                      "until": "2020-02-01T00:00:00.000000Z",
                      "seals": 1,
                      "before": "\(first)",
                      "after": "\(head)",
                      "findings": []
                    }

                    """)
            let balances = String(decoding: try bytes(path + "/balances.tsv"), as: UTF8.self)
            #expect(balances.contains("customer\talice\tUSDT\t1\t1000000000\t0\t4\t975000000\t0\n"), "\(balances)")
            let again = try await database.typing("export audit --day \(Self.day) -O \(path)")
            #expect(again.exitCode == 1)
            #expect(again.errors == "settle: \(path) exists. Give another name with -O.\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["january-31"])
        }
        #expect(try database.violations() == [])
    }

    @Test(arguments: [false, true])
    func `bundles of days that follow each other are joined, whichever days share a seal`(inOne: Bool) async throws {
        let database = try await Self.books(sealed: inOne)
        try await withFolder { folder in
            let days = ["2020-01-29", "2020-01-30", "2020-01-31", "2020-02-01", "2020-02-02"]
            for day in days { try await database.expecting("export audit --day \(day) -O \(folder)/\(day)") }
            for (earlier, later) in zip(days, days.dropFirst()) {
                let result = try await Program.run(
                    "audit", "check", "\(folder)/\(later)", "--after", "\(folder)/\(earlier)")
                #expect(result.exitCode == 0, "\(later): \(result.output)")
            }
            // And: one that is left out is missed, whatever seals it has; and none comes after itself.
            for (later, previous, end) in [("2020-02-01", "2020-01-30", "31"), ("2020-01-31", "2020-01-31", "")] {
                let until = end.isEmpty ? "2020-02-01" : "2020-01-\(end)"
                #expect(
                    findings("\(folder)/\(later)", after: "\(folder)/\(previous)")
                        == [
                            "manifest.json: begins at \(later)T00:00:00.000000Z, and \(folder)/\(previous) ends at "
                                + "\(until)T00:00:00.000000Z: it is not the one before"
                        ])
            }
        }
        #expect(try database.violations() == [])
    }

    @Test func `what is not over, not sealed or not as it was sealed is not exported`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await withFolder { folder in
            let today = try database.value("select (now() at time zone 'UTC')::date")
            let result = try await database.typing("export audit --day \(today) -O \(folder)/today")
            #expect(result.exitCode == 1)
            #expect(result.errors.hasPrefix("settle: \(today) is not over; it ends at "), "\(result.errors)")
            try database.execute("update batches set committed_at = '2020-01-31T10:00:00Z'")
            let early = try await database.typing("export audit --day 2020-01-31 -O \(folder)/early")
            #expect(early.exitCode == 1)
            #expect(
                early.errors
                    == "settle: 2 batches of 2020-01-31 are not sealed yet. Wait a minute for a worker to do it, "
                    + "or run 'settle audit seal'.\n")
            try await database.expecting("audit seal")
            try database.execute("update operations set amount = amount + 1")
            let changed = try await database.typing("export audit --day 2020-01-31 -O \(folder)/changed")
            #expect(changed.exitCode == 3)
            #expect(
                changed.errors
                    == "settle: the operations of seal 1 are not what was sealed. Run 'settle verify --chain'.\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            for day in ["2021-02-30", "yesterday", "2020-1-31", "2020-01-31T00"] {
                #expect(try await database.typing("export audit --day \(day)").exitCode == 64)
            }
            #expect(try await database.typing("export audit --day 2020-01-31 -O \(folder)/no/such").exitCode == 1)
        }
    }

    // MARK: What is wrong

    @Test func `no bit of any file can be turned unseen, and no file cut off`() async throws {
        var generator = SeededGenerator(seed: 31)
        let names = try FileManager.default.contentsOfDirectory(atPath: try await Self.bundle.value + "/" + Self.day)
        #expect(names.count == 10)
        for name in names {
            try await withCopy { folder in
                #expect(findings(folder) == [])
                let path = "\(folder)/\(name)"
                let original = try bytes(path)
                #expect(!original.isEmpty, "\(name)")
                for round in 0..<30 {
                    // Hundreds of looks, none of which waits for anything: other tests want the thread, too.
                    await Task.yield()
                    let place = round == 0 ? original.count - 1 : Int.random(in: 0..<original.count, using: &generator)
                    var changed = original
                    changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    try write(changed, to: path)
                    // The manifest's words about itself (who wrote it, and when) may be others.
                    let isWord = name == "manifest.json"
                    #expect(isWord || !findings(folder).isEmpty, "\(name): byte \(place)")
                    try write(Array(original[..<place]), to: path)
                    // Of the manifest a blank at the end is no part.
                    let isWhole = isWord && place == original.count - 1
                    #expect(isWhole || !findings(folder).isEmpty, "\(name): cut off at \(place)")
                }
                try write(original + original, to: path)
                #expect(!findings(folder).isEmpty, "\(name): twice")
                try write(original + [0x0A], to: path)
                #expect(name == "manifest.json" || !findings(folder).isEmpty, "\(name): an empty line")
                try FileManager.default.removeItem(atPath: path)
                #expect(!findings(folder).isEmpty, "\(name): missing")
                try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/zero")
                #expect(!findings(folder).isEmpty, "\(name): a link")
                try FileManager.default.removeItem(atPath: path)
                #expect(mkfifo(path, 0o644) == 0)
                #expect(!findings(folder).isEmpty, "\(name): a pipe")
            }
        }
    }

    struct Forgery: Sendable, CustomTestStringConvertible {
        let file: String
        let name: String
        let finds: String
        let change: @Sendable (inout [String]) -> Void
        var testDescription: String { "\(file): \(name)" }

        init(_ file: String, _ name: String, finds: String, _ change: @escaping @Sendable (inout [String]) -> Void) {
            (self.file, self.name, self.finds, self.change) = (file, name, finds, change)
        }
    }

    /// As somebody would who mends the manifest after each.
    static let forgeries = [
        Forgery("entries.tsv", "an amount", finds: "entries.tsv:1: lines 1 to 14 are not what seal 2 covers") {
            $0[0] = $0[0].replacing("-100500000", with: "-100500001")
        },
        Forgery("entries.tsv", "a sum that is not zero", finds: "units of USDT, not to zero") {
            $0[0] = $0[0].replacing("-100500000", with: "-100500001")
        },
        Forgery("entries.tsv", "a line less", finds: "entries.tsv:13: ends here; seal 2 has more") { $0.removeLast() },
        Forgery("entries.tsv", "a line more", finds: "entries.tsv:15: no seal covers this line") { $0.append($0[13]) },
        Forgery("entries.tsv", "an order", finds: "entries.tsv:1: lines 1 to 14 are not") { $0.swapAt(0, 1) },
        Forgery("entries.tsv", "a batch", finds: "is not there, or not in order") {
            $0[0] = $0[0].replacing(/^\d+/, with: "1")
        },
        Forgery("entries.tsv", "a cause", finds: "no trade and no operation of its batch asks for it") {
            $0[0] = $0[0].replacing("t1", with: "t9")
        },
        Forgery("entries.tsv", "what is no number", finds: "entries.tsv:1: is no ledger entry") {
            $0[0] = $0[0].replacing("-100500000", with: "-1e9")
        },
        Forgery("entries.tsv", "a number of 39 digits", finds: "entries.tsv:1: is no ledger entry") {
            $0[0] = $0[0].replacing("-100500000", with: "-" + String(repeating: "9", count: 39))
        },
        Forgery("entries.tsv", "a field more", finds: "entries.tsv:1: has other fields than ledger entries have") {
            $0[0] += "\tx"
        },
        Forgery("trades.tsv", "a price", finds: "its entries are not what it says: ") {
            $0[0] = $0[0].replacing("\t100.5\t", with: "\t100.6\t")
        },
        Forgery("trades.tsv", "a time", finds: "trades.tsv:1: lines 1 to 2 are not what seal 2 covers") {
            $0[0] = $0[0].replacing(/\t\d{16}\t\d{16}\t/, with: "\t1\t1\t")
        },
        Forgery("trades.tsv", "no price", finds: "its price, quantity or fees are no amounts of its assets") {
            $0[0] = $0[0].replacing("\t100.5\t", with: "\tNaN\t")
        },
        Forgery("trades.tsv", "a negative price", finds: "its price, quantity or fees are no amounts of its assets") {
            $0[0] = $0[0].replacing("\t100.5\t", with: "\t-100.5\t")
        },
        Forgery("trades.tsv", "a trade less", finds: "trades.tsv:1: ends here; seal 2 has more") { $0.removeLast() },
        Forgery("operations.tsv", "an amount", finds: "operations.tsv:1: its entries are not what it says: ") {
            $0[0] = $0[0].replacing("\t1500000\t", with: "\t2500000\t")
        },
        Forgery("operations.tsv", "what nobody knows", finds: "nobody knows the operation gift") {
            $0[0] = $0[0].replacing("withdrawal", with: "gift")
        },
        Forgery("reversals.tsv", "another trade", finds: "no reversal of its batch asks for it") {
            $0[0] = $0[0].replacing("t1", with: "t9")
        },
        Forgery("reversals.tsv", "a reason", finds: "reversals.tsv:1: lines 1 to 1 are not what seal 2 covers") {
            $0[0] = $0[0].replacing("slip", with: "gift")
        },
        Forgery("batches.tsv", "a count", finds: "batches.tsv:1: says ") {
            $0[0] = $0[0].replacing(/\d+$/, with: "77")
        },
        Forgery("batches.tsv", "a time", finds: "batches.tsv:1: lines 1 to ") {
            $0[0] = $0[0].replacing(/\t\d{16}\t/, with: "\t1\t")
        },
        Forgery("assets.tsv", "decimals", finds: "assets.tsv:1: lines 1 to 2 are not what seal 2 covers") {
            $0[0] = $0[0].replacing("\t8", with: "\t7")
        },
        Forgery("assets.tsv", "decimals beyond all", finds: "assets.tsv:1: is no asset with its decimals") {
            $0[0] = $0[0].replacing("\t8", with: "\t99999")
        },
        Forgery("markets.tsv", "a rule", finds: "markets.tsv:1: lines 1 to 1 are not what seal 2 covers") {
            $0[0] = $0[0].replacing("received", with: "quote")
        },
        Forgery("seals.tsv", "a digest", finds: "seals.tsv:1: its hash does not follow from what it says") {
            $0[0] = $0[0].replacing(/\t[0-9a-f]{64}/, with: "\t" + String(repeating: "0", count: 64))
        },
        Forgery("seals.tsv", "a number", finds: "seals.tsv:1: does not follow the seal before it: expected seal 2") {
            $0[0] = $0[0].replacing(/^2/, with: "3")
        },
        Forgery("seals.tsv", "lines without end", finds: "seal 2 has more") {
            var fields = $0[0].split(separator: "\t").map(String.init)
            fields[4] = "9223372036854775807"
            $0[0] = fields.joined(separator: "\t")
        },
        Forgery("seals.tsv", "nothing", finds: "seals.tsv:1: is not the line of a seal") { $0[0] = "" },
        Forgery("seals.tsv", "no seal", finds: "manifest.json: says that the chain ends with seal 2") { $0 = [] },
        Forgery(
            "balances.tsv", "a beginning", finds: "at the beginning all balances of USDT come to 1 units, not to zero"
        ) {
            $0.edit(alice) { $0.replacing("\t1000000000\t", with: "\t1000000001\t") }
        },
        Forgery("balances.tsv", "an end", finds: ": with its entries comes to ") {
            $0.edit(alice) { $0.replacing("\t975000000\t", with: "\t975000001\t") }
        },
        Forgery("balances.tsv", "a version", finds: ": has 3 entries in the bundle, not 4") {
            $0.edit(alice) { $0.replacing("\t4\t975000000", with: "\t5\t975000000") }
        },
        Forgery("balances.tsv", "a balance less", finds: "its balance is not among those of balances.tsv") {
            $0.removeAll { $0.hasPrefix(alice) }
        },
        Forgery("balances.tsv", "a balance twice", finds: ": this balance stands there twice") {
            $0.append($0[0])
        },
        Forgery("balances.tsv", "no balance", finds: ": is no balance") {
            $0.edit(alice) { $0.replacing("\t1000000000\t", with: "\tmuch\t") }
        },
    ]

    @Test(arguments: forgeries)
    func `what was changed is found and named, though the manifest agrees with it`(forgery: Forgery) async throws {
        try await withCopy { folder in
            let before = try bytes("\(folder)/\(forgery.file)")
            try edit(folder, forgery.file, forgery.change)
            #expect(try bytes("\(folder)/\(forgery.file)") != before, "nothing was changed")
            let found = findings(folder)
            #expect(found.contains { $0.contains(forgery.finds) }, "\(found)")
        }
    }

    @Test func `a chain that was made anew in a bundle is found by a noted hash, or by the bundle before`() async throws
    {
        let folders = try await Self.bundle.value
        try await withCopy { folder in
            let check = try BundleCheck(folder)
            let head = try #require(check.manifest.after.mark)
            #expect(findings(folder, noted: [head, check.before]) == [])
            #expect(
                findings(folder, noted: [SealMark(seal: 9, chain: .zero)]).first?.contains("is not in this bundle")
                    == true)
            // Given: another beginning, and everything that follows from it.
            let line = String(decoding: try bytes(folder + "/seals.tsv").dropLast(), as: UTF8.self)
            let seal = try #require(Seal(line: line))
            let start = SealMark(seal: 1, chain: SHA256.digest(of: "another"))
            let forged = Seal(
                number: 2, batches: seal.batches, contents: seal.contents, sealedAt: seal.sealedAt,
                chain: seal.chained(to: start.chain))
            try edit(folder, "seals.tsv") { $0 = [forged.line] }
            try editManifest(folder) {
                $0["before"] = ["seal": 1, "hash": "\(start.chain)"]
                $0["after"] = ["seal": 2, "hash": "\(forged.chain)"]
            }
            // Then
            #expect(findings(folder) == [])
            #expect(
                findings(folder, noted: [head])
                    == ["seals.tsv: seal 2 has the hash \(forged.chain), not the noted \(head.chain)"])
            #expect(
                findings(folder, after: folders + "/2020-01-30")
                    == ["seals.tsv: seal 1 is another one than in \(folders)/2020-01-30"])
        }
    }

    @Test func `other beginnings than the ends of the day before are found`() async throws {
        let folders = try await Self.bundle.value
        try await withCopy { folder in
            try edit(folder, "balances.tsv") { lines in
                // As much less for one as more for the other, from the beginning to the end.
                lines.edit(alice) {
                    $0.replacing("1000000000", with: "1000000001").replacing("975000000", with: "975000001")
                }
                lines.edit("world\t0\tUSDT") {
                    $0.replacing("-1000000000", with: "-1000000001").replacing("-998500000", with: "-998500001")
                }
            }
            let found = findings(folder, after: folders + "/2020-01-30")
            #expect(
                found.contains { $0.contains("customer alice, USDT does not begin with what it ended with") },
                "\(found)")
        }
    }

    @Test func `another day than that of the sealed batches is found`() async throws {
        try await withCopy { folder in
            try editManifest(folder) { $0["since"] = "2020-01-30T00:00:00.000000Z" }
            #expect(findings(folder).contains("manifest.json: says a period that is no day of UTC"))
            try editManifest(folder) { $0["until"] = "2020-01-31T00:00:00.000000Z" }
            #expect(
                findings(folder).first == "seals.tsv:1: has no batch of the day that manifest.json says",
                "\(findings(folder))")
        }
    }

    @Test func `the first bundle begins with nothing, or with what its own entries brought`() async throws {
        let folders = try await Self.bundle.value
        try await withFolder { folder in
            let path = folder + "/bundle"
            try FileManager.default.copyItem(atPath: folders + "/2020-01-30", toPath: path)
            #expect(findings(path) == [])
            var count = 0
            try edit(path, "balances.tsv") { lines in
                lines.append("customer\tmallory\tUSDT\t1\t500\t0\t1\t500\t0")
                lines.append("customer\tvictim\tUSDT\t1\t-500\t0\t1\t-500\t0")
                count = lines.count
            }
            #expect(
                findings(path)
                    == [count - 1, count].map {
                        "balances.tsv:\($0): does not begin with nothing, or with what earlier entries come to"
                    })
        }
    }

    @Test func `a first bundle whose seal began before its day is held to the entries before`() async throws {
        let database = try await Self.books(sealed: true)
        try await withFolder { folder in
            let path = folder + "/bundle"
            try await database.expecting("export audit --day \(Self.day) -O \(path)")
            #expect(findings(path) == [])
            // As much less for one as more for the other, from the beginning to the end.
            try edit(path, "balances.tsv") { lines in
                lines.edit(alice) {
                    $0.replacing("1000000000", with: "1000000001").replacing("975000000", with: "975000001")
                }
                lines.edit("world\t0\tUSDT") {
                    $0.replacing("-1000000000", with: "-1000000001").replacing("-998500000", with: "-998500001")
                }
            }
            let found = findings(path)
            #expect(found.contains { $0.contains("does not begin with nothing, or with what earlier") }, "\(found)")
        }
    }

    @Test func `what is no bundle is said to be none, in one line`() async throws {
        try await withFolder { folder in
            let empty = try await Program.run("audit", "check", folder)
            #expect(empty.exitCode == 3)
            #expect(empty.errors == "settle: \(folder): it has no manifest.json, as a bundle has\n")
            for words in [[folder + "/none"], [folder, "--after", folder + "/none"]] {
                let none = try await Program(["audit", "check"] + words).wait()
                #expect(none.exitCode == 5 && none.errors == "settle: there is no bundle \(folder)/none\n", "\(none)")
            }
            for text in ["", "{}", "[", "null", String(repeating: "[", count: 60_000), "{\"format\":\"settle-audit\"}"]
            {
                try write(Array(text.utf8), to: folder + "/manifest.json")
                let result = try await Program.run("audit", "check", folder)
                #expect(result.exitCode == 3)
                #expect(result.errors == "settle: \(folder): manifest.json is not that of a bundle, or was cut off\n")
            }
            #expect(try await Program.run("audit", "check").exitCode == 64)
            #expect(try await Program.run("audit", "check", folder, "--expect", "1:xyz").exitCode == 64)
        }
        // Files that lie beside a bundle's, and names that lead out of it.
        try await withCopy { folder in
            try write([1], to: folder + "/more.tsv")
            #expect(findings(folder) == ["more.tsv: is no part of a bundle"])
            try editManifest(folder) { manifest in
                var files = manifest["files"] as? [[String: Any]] ?? []
                files[0]["name"] = "../../../../etc/passwd"
                manifest["files"] = files
            }
            #expect(findings(folder) == ["manifest.json does not name the files of a bundle"])
        }
    }
}

/// Where the balance of alice in USDT stands.
private let alice = "customer\talice\tUSDT"

extension [String] {
    /// Changes the lines that begin with a text.
    fileprivate mutating func edit(_ start: String, _ change: (String) -> String) {
        for index in indices where self[index].hasPrefix(start) { self[index] = change(self[index]) }
    }
}
