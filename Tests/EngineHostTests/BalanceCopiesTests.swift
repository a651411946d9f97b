import Foundation
import Testing
import TradeEngine
import TradeModel

@testable import EngineHost

/// Copies of balances that are read page by page while the engine goes on.
@Suite struct BalanceCopiesTests {
    private static let stream = Identifier("main")!

    /// An engine and the copies of its balances, as a host has them.
    private final class Venue {
        private var engine = MatchingEngine()
        var copies = BalanceCopies()

        init(assets: Int) throws {
            for number in 0..<assets { try run(.listAsset(symbol: AssetSymbol("A\(number)")!, decimals: 2)) }
        }

        func run(_ action: EngineCommand.Action) throws {
            try EngineCommand(time: Timestamp(microseconds: 1), action).bytes.withUnsafeBytes {
                _ = try engine.apply($0)
            }
        }

        func deposit(_ account: Int, asset: Int, _ amount: String) throws {
            try run(
                .deposit(
                    Transfer(
                        key: Identifier("\(engine.sequence)")!, account: Identifier("account-\(account)")!,
                        asset: AssetSymbol("A\(asset)")!, amount: DecimalNumber(amount)!)))
        }

        func ask(after page: EngineAnswer.Balances? = nil, now: ContinuousClock.Instant = .now) -> EngineAnswer
            .Balances?
        {
            copies.answer(.balances(after: page), engine, of: BalanceCopiesTests.stream, now: now).balances
        }

        var sequence: Int64 { Int64(engine.sequence) }
        var hash: UInt64 { engine.hash }
    }

    private func rows(_ page: EngineAnswer.Balances) -> [String] {
        page.accountColumn.indices.map { row in
            let account = page.accounts[page.accountColumn[row]]
            let asset = page.assets[page.assetColumn[row]]
            return "\(account) \(asset) \(page.availableColumn[row]) \(page.heldColumn[row])"
        }
    }

    @Test func `pages show one moment, whatever the engine does between them`() throws {
        // given: more assets than an account has at hand, and more accounts than fit into a page
        let venue = try Venue(assets: 12)
        for account in 1...700 {
            for asset in [0, 3, 11] { try venue.deposit(account, asset: asset, "\(account).50") }
        }
        let (sequence, hash) = (venue.sequence, venue.hash.hexadecimal)

        // when
        var pages = [try #require(venue.ask())]
        while pages.last?.next != nil {
            try venue.deposit(1, asset: 0, "7")
            try venue.deposit(pages.count * 1_000, asset: 5, "9")
            pages.append(try #require(venue.ask(after: pages.last)))
        }

        // then
        #expect(pages.count > 1)
        #expect(pages.allSatisfy { $0.sequence == sequence && $0.hash == hash })
        #expect(pages.flatMap(\.accounts) == (1...700).map { "account-\($0)" })
        let expected = (1...700).flatMap { account in
            ["A0", "A3", "A11"].map { "account-\(account) \($0) \(account).50 0.00" }
        }
        #expect(pages.flatMap(rows) == expected)
        let later = try #require(venue.ask())
        #expect(
            later.sequence == venue.sequence && rows(later)[0] == "account-1 A0 \(1 + 7 * (pages.count - 1)).50 0.00")
    }

    @Test func `there are a few copies at most, and one that nobody reads goes`() throws {
        let venue = try Venue(assets: 1)
        var now = ContinuousClock.now
        var pages: [EngineAnswer.Balances] = []
        for account in 1...BalanceCopies.countMax {
            try venue.deposit(account, asset: 0, "1")
            now += .seconds(1)
            pages.append(try #require(venue.ask(now: now)))
        }
        // Nothing has changed: there is no need for another.
        #expect(venue.ask(now: now)?.copy == pages.last?.copy)
        #expect(venue.copies.count == BalanceCopies.countMax)

        // The one that was read in longest ago makes room.
        #expect(venue.ask(after: pages[0], now: now + .seconds(1)) != nil)
        try venue.deposit(9, asset: 0, "1")
        #expect(venue.ask(now: now + .seconds(2)) != nil)
        #expect(venue.copies.count == BalanceCopies.countMax)
        #expect(venue.ask(after: pages[1], now: now + .seconds(2)) == nil)
        #expect(venue.ask(after: pages[0], now: now + .seconds(2)) != nil)

        venue.copies.dropIdle(now: now + .seconds(2) + BalanceCopies.idleTime)
        #expect(venue.copies.count == 0)
        #expect(venue.ask(after: pages[0], now: now + .seconds(40)) == nil)
    }
}
