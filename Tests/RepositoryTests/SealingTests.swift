import AuditTrail
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// What is sealed, when, and that nothing slips in behind it.
@Suite struct SealingTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
    }

    private func deposit(_ keys: String...) async throws {
        for key in keys {
            _ = try await database.wallet().settle([operation(key, .deposit, "alice", "1", "USDT")])
        }
    }

    @Test func `what is there is sealed when it is old or much, and stands in stretches without a gap`() async throws {
        let connection = try database.connect()
        var patient = Sealer(interval: .seconds(3_600), rowsMax: 6)
        #expect(try patient.advance(on: connection) == nil)
        // Given: 3 rows, an operation and its two entries.
        try await deposit("d1")
        #expect(try patient.advance(on: connection) == nil)
        try await deposit("d2")
        #expect(try patient.advance(on: connection) == nil)
        // When: more than makes a stretch full.
        try await deposit("d3")
        // Then: as much as goes in.
        let first = try #require(try patient.advance(on: connection))
        #expect(first.number == 1 && first.batches == 0..<3)
        #expect(first.contents.map(\.lines) == [2, 4, 0, 2, 0, 1, 0])
        #expect(try patient.advance(on: connection) == nil)
        // When: old enough. Numbers that nobody used belong to it.
        try database.execute("select nextval('batch_numbers')")
        var hasty = Sealer(interval: .zero)
        let second = try #require(try hasty.advance(on: connection))
        #expect(second.number == 2 && second.batches == 3..<5)
        #expect(second.chain == second.chained(to: first.chain))
        #expect(try hasty.advance(on: connection) == nil)
        #expect(try SealStore.list(after: 0, limit: 9, on: connection) == [first, second])
        #expect(try database.findings() == [])
        #expect(try database.violations() == [])
    }

    @Test func `a batch that is larger than a stretch is sealed by itself`() async throws {
        try await deposit("d1", "d2")
        var sealer = Sealer(interval: .seconds(3_600), rowsMax: 2)
        let connection = try database.connect()
        #expect(try sealer.advance(on: connection)?.batches == 0..<2)
        #expect(try sealer.advance(on: connection)?.batches == 2..<3)
        #expect(try database.findings() == [])
        #expect(try database.violations() == [])
    }

    @Test func `nothing is sealed around a batch that is under way, and nobody waits for it`() async throws {
        let connection = try database.connect()
        var sealer = Sealer(interval: .zero)
        try await deposit("d1")
        // Given: a number that was given out, and later ones that are committed.
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        try await deposit("d3", "d4")
        // Then
        #expect(try sealer.advance(on: connection) == nil)
        // When: it commits, and another is under way by then.
        try slow.script(
            """
            insert into batches (batch_no, trades, operations, rejected, entries)
            values (currval('batch_numbers'), 0, 0, 0, 0)
            """)
        let slower = try database.connect()
        try slower.script("begin; select nextval('batch_numbers')")
        try slow.script("commit")
        try await deposit("d6")
        // Then: what was known then is decided, all of it.
        let seal = try #require(try sealer.advance(on: connection))
        #expect(seal.batches == 0..<5)
        #expect(seal[.batches].lines == 4)
        #expect(try sealer.advance(on: connection) == nil)
        try slower.script("rollback")
        #expect(try sealer.advance(on: connection)?.batches == 5..<7)
        #expect(try database.findings() == [])
        #expect(try database.violations() == [])
    }

    @Test func `of two that seal one does, and the other comes after it`() async throws {
        try await deposit("d1")
        let (one, other) = (try database.connect(), try database.connect())
        var (first, second) = (Sealer(interval: .zero), Sealer(interval: .zero))
        try one.script("begin")
        _ = try one.query(Sealer.lockStatement)
        #expect(try second.advance(on: other) == nil)
        try one.script("commit")
        #expect(try first.advance(on: one)?.number == 1)
        #expect(try second.advance(on: other) == nil)
        try await deposit("d2")
        #expect(try second.advance(on: other)?.number == 2)
        #expect(try database.violations() == [])
    }

    @Test func `seals cannot be changed or removed`() async throws {
        try await deposit("d1")
        try database.seal()
        for sql in [
            "update ledger_seals set sealed_at = now()", "delete from ledger_seals", "truncate ledger_seals",
        ] {
            #expect { try database.execute(sql) } throws: { "\($0)".contains("never changed") }
        }
        #expect(try database.violations() == [])
    }

    @Test func `ids and times that are out of the way have lines of their own`() async throws {
        // Given: what COPY escapes, and what only somebody with all rights could write.
        let id = "a\\b\u{1F600}é\"',"
        _ = try await database.wallet().settle([
            SettlementItem(
                .operation(
                    Operation(
                        key: Identifier("k\\n")!, kind: .deposit, account: Identifier(id)!, asset: AssetSymbol("USDT")!,
                        amount: DecimalNumber("1")!, order: nil)), origin: .message("test"))
        ])
        try database.damage(
            """
            update accounts set id = id || E'\\t\\n\\r\\b\\f\\x0b' where kind = 'customer';
            update operations set applied_at = 'infinity', order_id = '\\N'
            """)
        // Then
        let lines = try SealStore.lines(.operations, of: 0..<9, on: try database.connect())
        #expect(
            lines == [
                "1\tk\\\\n\tdeposit\tcustomer\ta\\\\b\u{1F600}é\"',\\t\\n\\r\\b\\f\\v\tUSDT\t1000000\t\\N\t\\N\t\\\\N\tInfinity"
            ])
        // And: they are what COPY writes.
        try database.execute("create table written (line text)")
        try database.seal()
        let sealed = try #require(try SealStore.last(on: try database.connect()))
        #expect(sealed[.operations].digest == SHA256.digest(of: lines[0] + "\n"))
        #expect(sealed[.trades] == Seal.Content(lines: 0, digest: SHA256.digest(of: "")))
    }

    @Test func `what several workers settle is sealed meanwhile, each row once`() async throws {
        let load = TradeLoad(600, accounts: 12, seed: 21)
        let database = try TestDatabase()
        try await load.prepare(database)
        let items = load.trades.map { SettlementItem(.trade($0), origin: .message("test")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<3 {
                group.addTask {
                    let wallet = database.wallet()
                    var mine = items.enumerated().filter { $0.offset % 3 == part }.map(\.element)[...]
                    while !mine.isEmpty {
                        _ = try await wallet.settle(Array(mine.prefix(7)))
                        mine = mine.dropFirst(7)
                    }
                }
            }
            group.addTask {
                let connection = try database.connect()
                var sealer = Sealer(interval: .zero, rowsMax: 100)
                while try database.trades(.settled) < 600 {
                    while try sealer.advance(on: connection) != nil {}
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        try database.seal()
        let seals = try SealStore.list(after: 0, limit: 1_000, on: try database.connect())
        #expect(seals.count > 5)
        #expect(try seals.reduce(0) { $0 + $1[.entries].lines } == Int64(database.count("ledger_entries")))
        #expect(seals.reduce(0) { $0 + $1[.trades].lines } == 600)
        #expect(try database.findings() == [])
        #expect(try database.violations() == [])
    }
}

extension TestDatabase {
    /// Seals all that is there.
    func seal() throws {
        let connection = try connect()
        var sealer = Sealer(interval: .zero)
        while try sealer.advance(on: connection) != nil {}
    }

    /// What the chain finds, as `seal place: detail`.
    func findings(from first: Int64 = 1, marks: [SealMark] = []) throws -> [String] {
        var chain = try SealVerification(from: first, marks: marks, on: connect())
        var findings: [SealVerification.Finding] = []
        while let found = try chain.next() { findings += found }
        findings += try chain.remaining()
        return findings.map { finding in
            let place =
                switch finding.place {
                case .table(let table): table.rawValue
                case .batch(let number): "batch \(number)"
                case .seal: "seal"
                }
            return "\(finding.seal) \(place): \(finding.detail)"
        }
    }
}
