import AuditTrail
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// Each kind of change behind the back of the triggers is found, and the seal and the table are named.
@Suite struct SealVerificationTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let name: String
        let sql: String
        let finds: [String]
        /// What else may be found of it.
        var allows: [String] = []
        var testDescription: String { name }
    }

    /// In seal 1 are the batches 1 to 3 (deposits and a hold), in 2 the batch 4 (trade t1), in 3 the batch 5 (t2).
    private static func books() async throws -> TestDatabase {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        for item in [
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            operation("r1", .reserve, "bob", "1", "BTC", order: "o1"),
        ] {
            #expect(try await wallet.settle([item]) == [.settled])
        }
        try database.seal()
        for id in ["t1", "t2"] {
            #expect(try await wallet.settle([trade(id, quantity: "0.5")]) == [.settled])
            try database.seal()
        }
        #expect(try database.findings() == [])
        return database
    }

    static let damages = [
        Damage(
            name: "two entries edited so that sums agree",
            sql: """
                update ledger_entries set available_delta = available_delta + case account_no when account('bob') then 1 else -1 end
                 where cause_id = 't1' and asset_no = usdt() and account_no in (account('alice'), account('bob'))
                """,
            finds: ["2 entries: 6 sealed, as many now, but not the same"]),
        Damage(
            name: "a cause edited",
            sql: "update ledger_entries set cause_id = 't9' where cause_id = 't1' and place = 0",
            finds: ["2 entries: 6 sealed, as many now, but not the same"]),
        Damage(
            name: "an entry removed", sql: "delete from ledger_entries where cause_id = 't1' and place = 1",
            finds: [
                "2 entries: 6 sealed, 5 now", "2 batch 4: says 6 entries, has 5",
                "2 batch 4: its entries do not sum to zero",
            ]),
        Damage(
            name: "an entry inserted",
            sql: """
                insert into ledger_entries select batch_no, account_no, version + 100, place + 100, asset_no, market_no, kind,
                       cause_id, available_delta, frozen_delta, available_after, frozen_after
                  from ledger_entries where cause_id = 't1' and place = 1
                """,
            finds: ["2 entries: 6 sealed, more now", "2 batch 4: says 6 entries, has 7"],
            allows: ["2 batch 4: "]),
        Damage(
            name: "an entry that stands twice",
            sql: "insert into ledger_entries select * from ledger_entries where cause_id = 't1' and place = 1",
            finds: ["2 entries: 6 sealed, more now"], allows: ["2 batch 4: "]),
        Damage(
            name: "an entry moved to another batch",
            sql: "update ledger_entries set batch_no = 5, place = 99 where cause_id = 't1' and place = 1",
            finds: ["2 entries: 6 sealed, 5 now", "3 entries: 6 sealed, more now"],
            allows: ["2 batch 4: ", "3 batch 5: "]),
        Damage(
            name: "all of a sealed trade's batch removed",
            sql: """
                delete from ledger_entries where batch_no = 4; delete from batches where batch_no = 4;
                delete from trades where trade_id = 't1'
                """,
            finds: [
                "2 batches: 1 sealed, 0 now", "2 entries: 6 sealed, 0 now", "2 trades: 1 sealed, 0 now",
                "2 assets: 2 sealed, 0 now", "2 markets: 1 sealed, 0 now",
            ]),
        Damage(
            name: "a trade's time edited", sql: "update trades set executed_at = now() where trade_id = 't1'",
            finds: ["2 trades: 1 sealed, as many now, but not the same"]),
        Damage(
            name: "a trade's price written otherwise", sql: "update trades set price = 100.50 where trade_id = 't1'",
            finds: ["2 trades: 1 sealed, as many now, but not the same"]),
        Damage(
            name: "a trade's order edited", sql: "update trades set buy_order_id = 'x' where trade_id = 't2'",
            finds: ["3 trades: 1 sealed, as many now, but not the same"]),
        Damage(
            name: "a settled trade made FAILED", sql: "update trades set status = 'FAILED' where trade_id = 't1'",
            finds: ["2 trades: 1 sealed, 0 now", "2 batch 4: says 1 settled trades, has 0"]),
        Damage(
            name: "a trade inserted",
            sql: """
                insert into trades (market, trade_id, price, quantity, buyer_id, seller_id, status, batch_no)
                values ('BTC/USDT', 't0', 1, 1, 'alice', 'bob', 'SETTLED', 4)
                """,
            finds: ["2 trades: 1 sealed, more now", "2 batch 4: says 1 settled trades, has 2"]),
        Damage(
            name: "an operation edited", sql: "update operations set amount = amount + 1 where key = 'd1'",
            finds: ["1 operations: 3 sealed, as many now, but not the same"]),
        Damage(
            name: "an operation removed", sql: "delete from operations where key = 'd2'",
            finds: ["1 operations: 3 sealed, 2 now", "1 batch 2: says 1 operations, has 0"]),
        Damage(
            name: "a batch's time edited",
            sql: "update batches set committed_at = committed_at - interval '1 microsecond' where batch_no = 2",
            finds: ["1 batches: 3 sealed, as many now, but not the same"]),
        Damage(
            name: "a batch inserted under a number that nobody used",
            sql: "insert into batches (batch_no, trades, operations, rejected, entries) values (0, 0, 0, 0, 0)",
            finds: ["1 batches: 3 sealed, more now"]),
        Damage(
            name: "a batch inserted before the first",
            sql: "insert into batches (batch_no, trades, operations, rejected, entries) values (-1, 0, 0, 0, 0)",
            finds: ["0 batch -1: stands before the first batch there can be"]),
        Damage(
            name: "an account given another name", sql: "update accounts set id = 'eve' where id = 'alice'",
            finds: [
                "1 entries: 5 sealed, as many now, but not the same",
                "1 operations: 3 sealed, as many now, but not the same",
                "2 entries: 6 sealed, as many now, but not the same",
                "3 entries: 6 sealed, as many now, but not the same",
            ]),
        Damage(
            name: "an asset given other decimals", sql: "update assets set decimals = 2 where symbol = 'USDT'",
            finds: [
                "1 assets: 2 sealed, as many now, but not the same",
                "2 assets: 2 sealed, as many now, but not the same",
                "3 assets: 2 sealed, as many now, but not the same",
            ]),
        Damage(
            name: "a market given another rule", sql: "update markets set fees = 'quote'",
            finds: [
                "2 markets: 1 sealed, as many now, but not the same",
                "3 markets: 1 sealed, as many now, but not the same",
            ]),
        Damage(
            name: "a seal's digest edited",
            sql: "update ledger_seals set entries_digest = sha256('x') where seal_no = 2",
            finds: [
                "2 entries: 6 sealed, as many now, but not the same",
                "2 seal: was changed: its hash does not follow from what it says and the seal before",
            ]),
        Damage(
            name: "a seal's time edited",
            sql: "update ledger_seals set sealed_at = sealed_at + interval '1 second' where seal_no = 2",
            finds: ["2 seal: was changed: its hash does not follow from what it says and the seal before"]),
        Damage(
            name: "a seal's hash edited", sql: "update ledger_seals set chain = sha256('x') where seal_no = 2",
            finds: ["2 seal: was changed: its hash does not follow from what it says and the seal before"]),
        Damage(
            name: "a seal's bound edited", sql: "update ledger_seals set next_batch = 5 where seal_no = 1",
            finds: [
                "1 seal: was changed: its hash does not follow from what it says and the seal before",
                "2 seal: does not begin where seal 1 ends",
            ], allows: ["1 "]),
        Damage(
            name: "a seal removed in the middle", sql: "delete from ledger_seals where seal_no = 2",
            finds: ["2 seal: is missing"]),
        Damage(
            name: "the first seals removed", sql: "delete from ledger_seals where seal_no < 3",
            finds: ["1 seal: to seal 2 are missing"]),
        Damage(
            name: "a seal removed and the others numbered anew",
            sql: """
                delete from ledger_seals where seal_no = 2;
                update ledger_seals set seal_no = 2 where seal_no = 3
                """,
            finds: [
                "2 seal: does not begin where seal 1 ends",
                "2 seal: was changed: its hash does not follow from what it says and the seal before",
            ]),
    ]

    @Test(arguments: damages)
    func `a change is found and named`(damage: Damage) async throws {
        let database = try await Self.books()
        try database.damage(
            """
            create function account(text) returns bigint language sql as
                $$ select account_no from accounts where id = $1 and kind = 'customer' $$;
            create function usdt() returns integer language sql as $$ select asset_no from assets where symbol = 'USDT' $$;
            \(damage.sql)
            """)
        let found = try database.findings()
        for expected in damage.finds { #expect(found.contains(expected), "missing \(expected) in \(found)") }
        for finding in found where !damage.finds.contains(finding) {
            #expect(damage.allows.contains { finding.hasPrefix($0) }, "unexpected: \(finding)")
        }
    }

    @Test func `who makes the whole chain anew is found by a hash that was noted, and by nothing else`() async throws {
        let database = try await Self.books()
        let head = SealMark(try #require(try SealStore.last(on: try database.connect())))
        #expect(try database.findings(marks: [head]) == [])
        try database.damage(
            """
            update trades set price = price + 1 where trade_id = 't1'; truncate ledger_seals
            """)
        try database.seal()
        #expect(try database.findings() == [])
        let one = try #require(try SealStore.last(on: try database.connect()))
        #expect(
            try database.findings(marks: [head]) == [
                "3 seal: was noted and is missing: the chain ends with seal 1"
            ])
        #expect(
            try database.findings(marks: [SealMark(seal: 1, chain: head.chain), SealMark(one)]) == [
                "1 seal: has the hash \(one.chain), not the noted \(head.chain)"
            ])
    }

    @Test func `seals that are gone from the end are missed by whoever noted the head`() async throws {
        let database = try await Self.books()
        let head = SealMark(try #require(try SealStore.last(on: try database.connect())))
        try database.damage("delete from ledger_seals where seal_no = 3")
        #expect(try database.findings() == [])
        #expect(
            try database.findings(marks: [head]) == ["3 seal: was noted and is missing: the chain ends with seal 2"])
        // And: what was in it counts as not sealed.
        let unsealed = try SealVerification.unsealed(on: try database.connect())
        #expect((unsealed.batches, unsealed.entries) == (1, 6))
        // And: made anew, it is another one.
        try database.seal()
        let findings = try database.findings(marks: [head])
        #expect(findings.count == 1 && findings[0].contains("not the noted \(head.chain)"))
    }

    @Test func `from a seal on, those before it are taken as they are`() async throws {
        let database = try await Self.books()
        try database.damage("update operations set amount = 7 where key = 'd1'")
        #expect(try database.findings().count == 1)
        #expect(try database.findings(from: 2) == [])
        try database.damage("update ledger_seals set chain = sha256('x') where seal_no = 1")
        #expect(try database.findings(from: 2).count == 1)
    }
}
