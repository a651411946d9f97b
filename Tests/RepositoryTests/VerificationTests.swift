import Repository
import SettleTesting
import Testing
import TradeModel
import WalletClient

/// Each kind of damage to the books is found, and the one who is damaged is named.
@Suite struct VerificationTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let name: String
        let sql: String
        let finds: [String]
        var testDescription: String { name }
    }

    static let damages = [
        Damage(
            name: "a nudged balance",
            sql:
                "update balances set available = available + 1 where account_no = account('alice') and asset_no = usdt()",
            finds: ["1: asset USDT:", "2: balance of customer alice in USDT:"]),
        Damage(
            name: "two balances changed so that the totals agree",
            sql: """
                update balances set available = available + 1 where account_no = account('alice') and asset_no = usdt();
                update balances set available = available - 1 where account_no = account('bob') and asset_no = usdt()
                """,
            finds: ["2: balance of customer alice in USDT:", "2: balance of customer bob in USDT:"]),
        Damage(
            name: "a balance taken away",
            sql: "delete from balances where account_no = account('bob') and asset_no = usdt()",
            finds: ["1: asset USDT:", "2: balance of customer bob in USDT:"]),
        Damage(
            name: "a version that skips",
            sql: "update balances set version = version + 1 where account_no = account('alice') and asset_no = usdt()",
            finds: ["2: balance of customer alice in USDT:"]),
        Damage(
            name: "a removed entry",
            sql:
                "delete from ledger_entries where cause_id = 't1' and account_no = account('alice') and asset_no = usdt()",
            finds: ["2: balance of customer alice in USDT:", "3: trade BTC/USDT:t1:", "3: batch "]),
        Damage(
            name: "a doubled entry",
            sql: """
                insert into ledger_entries select batch_no, account_no, version, place + 1000, asset_no, market_no, kind,
                       cause_id, available_delta, frozen_delta, available_after, frozen_after
                  from ledger_entries where cause_id = 't1' and account_no = account('alice') and asset_no = usdt()
                """,
            finds: ["2: balance of customer alice in USDT:", "3: trade BTC/USDT:t1:", "3: batch "]),
        Damage(
            name: "an entry that stands twice",
            sql: """
                insert into ledger_entries
                select * from ledger_entries where cause_id = 't1' and account_no = account('alice') and asset_no = usdt()
                """,
            finds: [
                "2: balance of customer alice in USDT:", "3: trade BTC/USDT:t1:", "3: batch 1: says ",
                "3: batch 1: has 2 entries at place ",
            ]),
        Damage(
            name: "a batch that stands twice",
            sql: "insert into ledger_entries select * from ledger_entries",
            finds: [
                "2: balance of customer alice in USDT:", "2: balance of customer", "2: balance of house",
                "2: balance of world", "3: trade BTC/USDT:t1:", "3: operation d1:", "3: operation d2:",
                "3: operation r1:", "3: batch 1: says ", "3: batch 1: has 2 entries at place ",
            ]),
        Damage(
            name: "an entry in another's place",
            sql: "update ledger_entries set place = 0 where place = 1",
            finds: ["3: batch 1: has 2 entries at place 0"]),
        Damage(
            name: "an edited entry",
            sql:
                "update ledger_entries set available_delta = available_delta - 1 where cause_id = 'd1' and available_delta > 0",
            finds: ["2: balance of customer alice in USDT:", "3: operation d1:", "3: batch "]),
        Damage(
            name: "an entry whose balance after is wrong",
            sql: """
                update ledger_entries set available_after = available_after + 1
                 where account_no = account('alice') and asset_no = usdt() and version =
                       (select version from balances where account_no = account('alice') and asset_no = usdt())
                """,
            finds: ["2: balance of customer alice in USDT:"]),
        Damage(
            name: "an entry in the middle whose balance after is wrong",
            sql: """
                update ledger_entries set available_after = available_after + 1
                 where account_no = account('alice') and asset_no = usdt() and version = 1
                """,
            finds: ["2: balance of customer alice in USDT:"]),
        Damage(
            name: "a version below all",
            sql: """
                update ledger_entries set version = -9223372036854775808
                 where account_no = account('alice') and asset_no = usdt() and version = 1
                """,
            finds: ["2: balance of customer alice in USDT:"]),
        Damage(
            name: "a version above all",
            sql: """
                update ledger_entries set version = 9223372036854775807
                 where account_no = account('alice') and asset_no = usdt() and version = 1
                """,
            finds: ["2: balance of customer alice in USDT:"]),
        Damage(
            name: "a settled trade made FAILED",
            sql: "update trades set status = 'FAILED' where trade_id = 't1'",
            finds: ["3: trade BTC/USDT:t1:", "4: trade BTC/USDT:t1:"]),
        Damage(
            name: "a FAILED trade made SETTLED",
            sql: "update trades set status = 'SETTLED', settled_at = now() where trade_id = 't2'",
            finds: ["3: trade BTC/USDT:t2:", "4: trade BTC/USDT:t2:"]),
        Damage(
            name: "a settled trade with another price",
            sql: "update trades set price = price + 1 where trade_id = 't1'", finds: ["3: trade BTC/USDT:t1:"]),
        Damage(
            name: "a settled trade without a row",
            sql: "delete from trades where trade_id = 't1'", finds: ["3: trade BTC/USDT:t1:"]),
        Damage(
            name: "a FAILED trade without a letter",
            sql: "delete from dead_letters", finds: ["4: trade BTC/USDT:t2:"]),
        Damage(
            name: "a FAILED trade whose letter says retried",
            sql: "update dead_letters set status = 'retried'", finds: ["4: trade BTC/USDT:t2:"]),
        Damage(
            name: "a PENDING trade with an open letter",
            sql: "update trades set status = 'PENDING' where trade_id = 't2'", finds: ["4: trade BTC/USDT:t2:"]),
        Damage(
            name: "an open letter for a settled trade",
            sql: "update dead_letters set trade_id = 't1'", finds: ["4: trade BTC/USDT:t1:", "4: trade BTC/USDT:t2:"]),
        Damage(
            name: "a leaked hold",
            sql: "update holds set remaining = remaining - 1", finds: ["6: balance of bob in BTC:"]),
        Damage(
            name: "a hold taken away", sql: "delete from holds",
            finds: ["6: balance of bob in BTC:", "6: order o1: reserved 100000000, and has no hold"]),
        Damage(
            name: "a spent hold taken away",
            sql: """
                update balances set frozen = 0, available = available + frozen where frozen > 0; delete from holds
                """,
            finds: ["2: balance of customer bob in BTC:", "6: order o1: reserved 100000000, and has no hold"]),
        Damage(
            name: "a hold of less",
            sql: "update holds set reserved = reserved - 1, remaining = remaining - 1",
            finds: ["6: balance of bob in BTC:", "6: order o1: reserved 100000000, and its hold says 99999999"]),
        Damage(
            name: "another's hold", sql: "update holds set account_no = account('alice')",
            finds: ["6: balance of bob in BTC:", "6: balance of alice in BTC:", "6: order o1: reserved for account"]),
        Damage(
            name: "a credit that nobody granted",
            sql: "update balances set lowest = -100 where account_no = account('bob') and asset_no = usdt()",
            finds: ["5: balance of bob in USDT: may fall to -100, though no credit was granted"]),
        Damage(
            name: "a credit beyond what was granted",
            sql: """
                insert into operator_actions (actor, action, subject, reason, detail)
                values ('ops', 'credit', 'account bob', 'a line', '{"asset": "USDT", "amount": "0.50"}');
                update balances set lowest = -500001 where account_no = account('bob') and asset_no = usdt();
                insert into operator_actions (actor, action, subject, reason, detail)
                values ('ops', 'credit', 'account alice', 'a line', '{"asset": "USDT", "amount": "0.50"}');
                update balances set lowest = -500000 where account_no = account('alice') and asset_no = usdt()
                """,
            finds: ["5: balance of bob in USDT: may fall to -500001, though the credit granted last was 0.50"]),
        Damage(
            name: "a customer made one of the house",
            sql: "update accounts set kind = 'house' where id = 'bob'",
            finds: ["3: operation d2:", "3: operation r1:", "3: trade BTC/USDT:t1:"]),
        Damage(
            name: "numbers given up by nobody",
            sql: """
                insert into operator_actions (actor, action, subject, reason, detail)
                values ('ops', 'skip', 'feed venue', 'lost', '{"first": "1", "last": "2"}');
                insert into trade_streams (stream, newest) values ('venue', 4);
                insert into trade_stream_gaps (stream, first_seq, last_seq, found_at, skipped_at, actor, reason)
                values ('venue', 1, 2, now(), now(), 'ops', 'lost'), ('venue', 3, 4, now(), now(), 'ops', 'lost')
                """,
            finds: ["7: stream venue: numbers 3 to 4 were given up"]),
        Damage(
            name: "an operation of another amount",
            sql: "update operations set amount = amount + 1 where key = 'd2'", finds: ["3: operation d2:"]),
        Damage(
            name: "an operation taken away", sql: "delete from operations where key = 'd2'", finds: ["3: operation d2:"]
        ),
        Damage(
            name: "a negative balance",
            sql: """
                alter table balances drop constraint balances_check;
                update balances set available = -1 where account_no = account('bob') and asset_no = usdt()
                """,
            finds: ["1: asset USDT:", "2: balance of customer bob in USDT:", "5: balance of bob in USDT:"]),
        Damage(
            name: "a settled trade without a time",
            sql: "update trades set settled_at = null where trade_id = 't1'", finds: ["4: trade BTC/USDT:t1:"]),
        Damage(
            name: "an entry of an account that is not there",
            sql: "update ledger_entries set account_no = 4711 where cause_id = 'd2' and available_delta > 0",
            finds: ["2: balance of account 4711 in BTC:", "2: balance of customer bob in BTC:", "3: operation d2:"]),
        Damage(name: "a batch taken away", sql: "delete from batches", finds: ["3: batch "]),
    ]

    @Test(arguments: damages)
    func `damage is found and named`(damage: Damage) async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            operation("r1", .reserve, "bob", "1", "BTC", order: "o1"), trade("t1", quantity: "0.5"),
            trade("t2", quantity: "5"),
        ])
        #expect(try database.violations() == [])
        try database.damage(
            """
            create function account(text) returns bigint language sql as
                $$ select account_no from accounts where id = $1 and kind = 'customer' $$;
            create function usdt() returns integer language sql as $$ select asset_no from assets where symbol = 'USDT' $$;
            \(damage.sql)
            """)
        let found = try database.violations()
        #expect(!found.isEmpty)
        for violation in found {
            #expect(damage.finds.contains { violation.hasPrefix($0) }, "unexpected: \(violation)")
        }
        for expected in damage.finds {
            #expect(found.contains { $0.hasPrefix(expected) }, "missing \(expected) in \(found)")
        }
    }
}

func operation(
    _ key: String, _ kind: Operation.Kind, _ account: String, _ amount: String, _ asset: String, order: String? = nil
) -> SettlementItem {
    SettlementItem(
        .operation(
            Operation(
                key: Identifier(key)!, kind: kind, account: Identifier(account)!, asset: AssetSymbol(asset)!,
                amount: DecimalNumber(amount)!, order: order.map { OrderKey(stream: nil, order: Identifier($0)!) })),
        origin: .message("test"))
}

/// A trade of BTC at 100.5 USDT from bob to alice.
func trade(_ id: String, quantity: String) -> SettlementItem {
    SettlementItem(
        .trade(
            Trade(
                id: Identifier(id)!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("100.5")!,
                quantity: DecimalNumber(quantity)!, buyer: Identifier("alice")!, seller: Identifier("bob")!,
                buyerFee: DecimalNumber("0.001")!, sellerFee: DecimalNumber("0.25")!)),
        origin: .message("test"))
}
