import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// What was committed is read page by page, none twice and none left out.
@Suite struct CommittedBatchesTests {
    @Test func `a page holds batches whose numbers are close together`() {
        var page = CommittedBatches.Page(nil, adding: 1_000)
        for number in [1_003, 998, 1_001] as [BatchNumber] { page = CommittedBatches.Page(page, adding: number) }
        #expect(page?.batches == [1_000, 1_003, 998, 1_001])
        #expect(page?.numbers == 998...1_003)
        #expect(CommittedBatches.Page(page, adding: 5) == nil)
        #expect(CommittedBatches.Page(page, adding: 1 << 20) == nil)
    }

    @Test func `batches out of the order of their numbers are exported in that of their commits`() async throws {
        // Given: a batch of the first range that is committed among those of the next one.
        let database = try TestDatabase()
        try database.addMarket()
        func settle(_ keys: String...) async throws {
            let wallet = database.wallet()
            for key in keys {
                #expect(try await wallet.settle([operation(key, .deposit, "alice", "1", "BTC")]) == [.settled])
            }
        }
        try await settle("held", "a1", "a2", "a3")
        try database.execute("select setval('batch_numbers', (1 << 20) + 7)")
        try await settle("b1", "b2", "b3")
        try database.execute(
            """
            update batches set committed_at = (select max(committed_at) - interval '1 microsecond' from batches)
             where batch_no = (select batch_no from operations where key = 'held')
            """)

        // When
        var batches = try CommittedBatches(
            after: .init(time: .init(microseconds: 0)), until: nil, on: try database.connect())
        var entries: [ExportedEntry] = []
        var pages = 0
        while let page = try batches.nextEntries() {
            entries += page
            pages += 1
        }

        // Then
        #expect(entries.filter { $0.place == 0 }.map(\.cause) == ["a1", "a2", "a3", "b1", "b2", "held", "b3"])
        #expect(pages == 4)
        #expect(try database.violations() == [])
    }
}
