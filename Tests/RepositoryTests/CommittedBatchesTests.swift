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
        // Given: a wallet that uses its number when others have gone on to the next range.
        let database = try TestDatabase()
        try database.addMarket()
        let (early, late) = (database.wallet(), database.wallet())
        var keys: [String] = []
        func settle(_ key: String, _ wallet: Wallet) async throws {
            #expect(try await wallet.settle([operation(key, .deposit, "alice", "1", "BTC")]) == [.settled])
            keys.append(key)
        }
        try await settle("first", early)
        for number in 1...3 { try await settle("a\(number)", late) }
        try database.execute("select setval('batch_numbers', (1 << 20) + 7)")
        for number in 1...3 { try await settle("b\(number)", late) }
        try await settle("held", early)
        try await settle("last", late)

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
        #expect(entries.count { $0.place == 0 } == keys.count)
        #expect(entries.filter { $0.place == 0 }.map(\.cause) == keys)
        #expect(pages == 4)
        #expect(try database.violations() == [])
    }
}
