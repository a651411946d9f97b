import Foundation
import SettleTesting
import Testing
import TradeModel
import WalletClient

/// `settle rebuild`: the books as they come to when they are computed anew.
@Suite struct RebuildCommandTests {
    private let database: TestDatabase

    /// Alice and bob have traded once, bob holds something, and a second trade is parked.
    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        try database.addMarket("ETH/USDT", decimals: (18, 6), fees: .quote)
        try await database.expecting("deposit alice 1000 USDT --id d1")
        try await database.expecting("deposit bob 10 BTC --id d2")
        try await database.expecting("deposit bob 2.000000000000000001 ETH --id d3")
        let reserve = Operation(
            key: Identifier("r1")!, kind: .reserve, account: Identifier("bob")!, asset: AssetSymbol("BTC")!,
            amount: DecimalNumber("1")!, order: OrderKey(stream: nil, order: Identifier("o1")!))
        #expect(try await database.wallet().settle([item(reserve)]) == [.settled])
        let lines = """
            {"id":"t1","market":"BTC/USDT","price":"100.5","quantity":"0.5","buyer_id":"alice","seller_id":"bob","buyer_fee":"0.001","seller_fee":"0.25","sell_order_id":"o1"}
            {"id":"t2","market":"BTC/USDT","price":"100.5","quantity":"50","buyer_id":"alice","seller_id":"bob"}
            {"id":"t3","market":"ETH/USDT","price":"3.333333","quantity":"1.000000000000000001","buyer_id":"alice","seller_id":"bob","buyer_fee":"0.1","seller_fee":"-0.05"}

            """
        _ = try await database.typing("trade submit", input: lines)
        try await database.expecting("worker --once --log-level error")
        #expect(try database.violations() == [])
    }

    private func damage(_ sql: String) throws {
        try database.damage(
            """
            create or replace function account(text) returns bigint language sql as
                $$ select account_no from accounts where id = $1 and kind = 'customer' $$;
            create or replace function asset(text) returns integer language sql as
                $$ select asset_no from assets where symbol = $1 $$;
            \(sql)
            """)
    }

    private func json(_ line: String) async throws -> [String: Any] {
        let result = try await database.typing(line)
        return try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.errors)")
    }

    @Test func `books that are right are what they come to`() async throws {
        let before = try database.contents()
        let result = try await database.typing("rebuild")
        #expect(result.exitCode == 0 && result.errors == "")
        #expect(
            result.output
                == "Balances and ledger match: 11 balances from 19 ledger entries, these from 2 settled trades "
                + "and 4 operations.\n", "\(result)")
        let written = try await json("rebuild --json")
        #expect(written["clean"] as? Bool == true && written["difference_count"] as? Int == 0)
        #expect((written["differences"] as? [Any])?.isEmpty == true)
        #expect(written["account"] is NSNull && written["schema"] is NSNull)
        #expect(try database.contents() == before)
    }

    struct Damage: Sendable, CustomTestStringConvertible {
        let name: String
        let sql: String
        /// Account, asset and figure of all that is found.
        let finds: [String]
        var testDescription: String { name }
    }

    static let damages = [
        Damage(
            name: "a nudged balance",
            sql:
                "update balances set available = available + 1 where account_no = account('alice') and asset_no = asset('USDT')",
            finds: ["alice USDT available"]),
        Damage(
            name: "two balances changed so that the totals agree",
            sql: """
                update balances set available = available + 1 where account_no = account('alice') and asset_no = asset('USDT');
                update balances set available = available - 1 where account_no = account('bob') and asset_no = asset('USDT')
                """,
            finds: ["alice USDT available", "bob USDT available"]),
        Damage(
            name: "money that moved from free to held",
            sql: """
                update balances set available = available - 1, frozen = frozen + 1
                 where account_no = account('bob') and asset_no = asset('BTC')
                """,
            finds: ["bob BTC available", "bob BTC frozen"]),
        Damage(
            name: "a balance taken away",
            sql: "delete from balances where account_no = account('alice') and asset_no = asset('BTC')",
            finds: ["alice BTC available", "alice BTC version"]),
        Damage(
            name: "a balance out of nothing",
            sql: """
                insert into balances (account_no, asset_no, available) values (account('alice'), asset('ETH') + 0, 7)
                on conflict (account_no, asset_no) do update set version = 9
                """,
            finds: ["alice ETH version"]),
        Damage(
            name: "an entry taken away",
            sql: """
                delete from ledger_entries
                 where cause_id = 't1' and account_no = account('alice') and asset_no = asset('USDT')
                """,
            finds: ["alice USDT available", "alice USDT version", "alice USDT traded"]),
        Damage(
            name: "an entry that stands twice",
            sql: """
                insert into ledger_entries
                select * from ledger_entries where cause_id = 't1' and account_no = account('bob') and asset_no = asset('BTC')
                """,
            finds: ["bob BTC frozen", "bob BTC version", "bob BTC traded"]),
        Damage(
            name: "an entry and its balance, changed alike",
            sql: """
                update ledger_entries set available_delta = available_delta + 5
                 where cause_id = 'd1' and account_no = account('alice');
                update balances set available = available + 5 where account_no = account('alice') and asset_no = asset('USDT')
                """,
            finds: ["alice USDT moved"]),
        Damage(
            name: "a settled trade of another price",
            sql: "update trades set price = price + 1 where trade_id = 't1'",
            finds: ["alice USDT traded", "bob USDT traded"]),
        Damage(
            name: "a settled trade of other people",
            sql: "update trades set buyer_id = 'carol' where trade_id = 't1'",
            finds: ["alice BTC traded", "alice USDT traded", "carol BTC traded", "carol USDT traded"]),
        Damage(
            name: "a settled trade of another fee",
            sql: "update trades set buyer_fee = 0.2 where trade_id = 't3'",
            finds: ["alice USDT traded", "house USDT traded"]),
        Damage(
            name: "a settled trade taken away", sql: "delete from trades where trade_id = 't1'",
            finds: [
                "alice BTC traded", "alice USDT traded", "bob BTC traded", "bob USDT traded", "house BTC traded",
                "house USDT traded",
            ]),
        Damage(
            name: "a parked trade that says it is settled",
            sql: "update trades set status = 'SETTLED', batch_no = 1 where trade_id = 't2'",
            finds: ["alice BTC traded", "alice USDT traded", "bob BTC traded", "bob USDT traded"]),
        Damage(
            name: "an operation of another amount", sql: "update operations set amount = amount + 1 where key = 'd2'",
            finds: ["bob BTC moved", "world BTC moved"]),
        Damage(
            name: "an operation taken away", sql: "delete from operations where key = 'r1'",
            finds: ["bob BTC moved", "bob BTC held"]),
    ]

    @Test(arguments: damages)
    func `each kind of damage is named, and no more than it`(damage: Damage) async throws {
        try self.damage(damage.sql)
        let result = try await database.typing("rebuild --json")
        #expect(result.exitCode == 3)
        #expect(result.errors.hasSuffix("settle: the books differ from what was recomputed\n"))
        let written = try await json("rebuild --json")
        let differences = try #require(written["differences"] as? [[String: Any]])
        let found = differences.map { "\($0["account"]!) \($0["asset"]!) \($0["figure"]!)" }
        #expect(Set(found) == Set(damage.finds), "\(found)")
        #expect(written["difference_count"] as? Int == damage.finds.count)
    }

    @Test func `a difference is told in plain decimals, with what may be done`() async throws {
        try damage(
            "update balances set available = available + 1500001 where account_no = account('alice') and asset_no = asset('USDT')"
        )
        let result = try await database.typing("rebuild")
        #expect(result.exitCode == 3)
        #expect(
            result.output == """
                ACCOUNT  ASSET  FIGURE         STANDS     REBUILT  DIFFERENCE
                alice    USDT   available  947.816668  946.316667   -1.500001
                1 difference in 11 balances from 19 ledger entries, these from 2 settled trades and 4 operations.

                """, "\(result.output)")
        #expect(
            result.errors == """
                nothing was changed: this program never edits a balance or an entry. 'settle verify' says which invariants \
                are broken. Restore the database from before the damage; or, where the money itself is to move, put it on \
                the record: 'settle deposit' or 'settle withdraw' with an id that says why
                settle: the books differ from what was recomputed

                """)
    }

    @Test func `one account is rebuilt without the others`() async throws {
        let alice = try await database.expecting("rebuild --account alice")
        #expect(
            alice
                == "Balances and ledger match: 3 balances from 5 ledger entries, these from 2 settled trades and 1 "
                + "operation.\n")
        #expect(try await database.expecting("rebuild --account house").contains("2 settled trades and 0 operations"))
        #expect(try await database.expecting("rebuild --account world").contains("0 settled trades and 3 operations"))
        #expect(try await database.expecting("rebuild --account world/0").contains("3 balances"))
        try damage(
            """
            update balances set available = available + 1 where account_no = account('bob') and asset_no = asset('ETH');
            update trades set seller_fee = 1 where trade_id = 't1'
            """)
        #expect(try await database.typing("rebuild --account alice").exitCode == 0)
        let bob = try await json("rebuild --account bob --json")
        #expect(
            (bob["differences"] as? [[String: Any]])?.map { "\($0["asset"]!) \($0["figure"]!) \($0["difference"]!)" }
                == ["ETH available -0.000000000000000001", "USDT traded -0.750000"], "\(bob)")
        #expect(bob["account"] as? String == "bob")
        let nobody = try await database.typing("rebuild --account nobody")
        #expect(nobody.exitCode == 5 && nobody.output == "")
        #expect(nobody.errors == "settle: there is no account nobody; 'settle account list' shows those there are\n")
    }

    @Test func `the result is written to a schema of its own, again and again`() async throws {
        for _ in 1...2 {
            let result = try await database.typing("rebuild --into rebuilt")
            #expect(result.exitCode == 0, "\(result)")
            #expect(result.errors == "the result is in rebuilt.balances and rebuilt.ledger_sums\n")
        }
        #expect(
            try database.value(
                """
                select count(*) || ' ' || count(*) filter (where (r.available_units, r.frozen_units, r.version)
                                                               = (b.available, b.frozen, b.version))
                  from balances b full join rebuilt.balances r using (account_no, asset_no)
                """) == "11 11")
        #expect(
            try database.value(
                "select available || ' ' || frozen from rebuilt.balances where account = 'bob' and asset = 'BTC'")
                == "9.00000000 0.50000000")
        #expect(
            try database.value(
                """
                select string_agg(concat_ws(' ', from_trades, available_from_operations, frozen_from_operations, total), ',')
                  from rebuilt.ledger_sums where account = 'bob' and asset = 'BTC'
                """) == "-0.50000000 9.00000000 1.00000000 9.50000000")
        #expect(try database.violations() == [])
    }

    @Test func `a schema of somebody else is left alone`() async throws {
        try database.execute("create schema theirs; create table theirs.balances (n integer)")
        for schema in ["public", "theirs"] {
            let refused = try await database.typing("rebuild --into \(schema)")
            #expect(refused.exitCode == 1 && refused.output == "")
            #expect(
                refused.errors
                    == "settle: schema \(schema) was not made by 'settle rebuild', or holds more than it wrote; name one "
                    + "that does not exist yet\n")
        }
        try await database.expecting("rebuild --into rebuilt")
        try database.execute("create table rebuilt.mine (n integer)")
        #expect(try await database.typing("rebuild --into rebuilt").exitCode == 1)
        for name in ["Rebuilt", "pg_mine", "a-b"] {
            #expect(try await database.typing("rebuild --into \(name)").exitCode == 64)
        }
        #expect(try database.value("select count(*) from theirs.balances") == "0")
    }

    @Test func `while trades settle, nothing is a difference`() async throws {
        // given
        try await database.expecting("deposit alice 1000000 USDT --id more-1")
        try await database.expecting("deposit bob 1000 BTC --id more-2")
        let wallet = database.wallet()
        let trading = Task {
            var count = 0
            while !Task.isCancelled {
                let items = (0..<20).map { number in
                    SettlementItem(
                        .trade(
                            trade("w\(count)-\(number)", price: "100", quantity: "0.001", buyer: "alice", seller: "bob")
                        ),
                        origin: .message("test"))
                }
                _ = try await wallet.settle(items)
                count += 1
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        // when
        for _ in 1...4 {
            for line in ["rebuild", "rebuild --account alice"] {
                let settled = try database.trades(.settled)
                try await eventually("more is settled") { try database.trades(.settled) > settled }
                let result = try await database.typing(line)
                // then
                #expect(result.exitCode == 0, "\(result.output) \(result.errors)")
            }
        }
        trading.cancel()
        try await trading.value
        #expect(try database.violations() == [])
    }
}
