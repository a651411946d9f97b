import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import Repository
@testable import WalletClient

/// Rows are locked in the order in which the input names them, whatever the tables hold and statistics say.
@Suite struct QueryPlanTests {
    enum Tables: CaseIterable { case empty, large }

    private func connection(_ tables: Tables) throws -> PostgresConnection {
        let database = try TestDatabase()
        try database.addMarket()
        try database.addMarket("ETH/USDT")
        if tables == .large {
            try database.execute(
                """
                insert into accounts (id) select 'c' || n from generate_series(1, 100000) n;
                insert into balances (account_no, asset_no) select account_no, 1 from accounts;
                insert into holds (stream, order_id, account_no, asset_no, reserved, remaining)
                select '', account_no::text, account_no, 1, 1, 1 from accounts;
                insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
                select 'BTC/USDT', n::text, 1, 1, 'c' || n, 'c1' from generate_series(1, 20000) n;
                analyze
                """)
        }
        let connection = try database.connect()
        try connection.script(WalletSession.settings)
        return connection
    }

    /// The generic plan of a statement, as the wallet's connections use it.
    private func plan(_ request: Request, on connection: PostgresConnection) throws -> String {
        let types = try request.parameters.map { parameter in
            try connection.query(
                Statement("type", "select format_type($1::oid, null)"), .int8(Int64(parameter.type.rawValue))
            ).string(0, 0)
        }
        let name = "explained_\(request.statement.name)"
        let nulls = request.parameters.map { _ in "null" }
        try connection.script("prepare \(name) (\(types.joined(separator: ", "))) as \(request.statement.sql)")
        let rows = try connection.query(
            Statement("of_\(name)", "explain (costs off) execute \(name) (\(nulls.joined(separator: ", ")))"))
        return rows.indices.map { rows.string($0, 0) }.joined(separator: "\n")
    }

    private static let updates: [(name: String, request: @Sendable () -> Request, index: String)] = [
        ("balances", { BalanceStore.apply([]) }, "Index Scan using balances_pkey"),
        ("holds", { HoldStore.update([]) }, "Index Scan using holds_pkey"),
        ("waiting trades", { TradeStore.finishWaiting([]) }, "_pkey"),
        ("trades put back", { TradeStore.putBack([], delayMilliseconds: 1, delayMillisecondsMax: 1) }, "_pkey"),
    ]

    @Test(arguments: Tables.allCases)
    func `every statement of a batch follows its order through an index`(tables: Tables) throws {
        let connection = try connection(tables)
        for update in Self.updates {
            let plan = try plan(update.request(), on: connection)
            #expect(plan.contains("Nested Loop") && plan.contains(update.index), "\(update.name): \(plan)")
            for other in ["Hash", "Merge", "Seq Scan", "Bitmap", "Sort", "Gather", "Materialize"] {
                #expect(!plan.contains(other), "\(update.name): \(plan)")
            }
            // The input drives the loop: it stands above the index that is looked into for each of its rows.
            let input = plan.firstRange(of: "ProjectSet")
            let index = plan.firstRange(of: update.index)
            #expect(input != nil && index != nil && input!.lowerBound < index!.lowerBound, "\(update.name): \(plan)")
        }

        // Ids are claimed in the order of their keys, and numbered in that of their arrival.
        let parameters = TradeStore.insert(DecidedTrades(countMax: 0)).parameters
        let insert = try plan(Request(TradeStore.insertStatement, parameters), on: connection)
        let lines = insert.split(separator: "\n")
        let sort = lines.firstIndex { $0.contains("Sort Key:") && $0.contains("market") && $0.contains("trade_id") }
        let input = lines.firstIndex { $0.contains("ProjectSet") }
        #expect(sort != nil && input != nil && sort! < input!, "\(insert)")
        // A single one needs none of that.
        let insertOne = try plan(Request(TradeStore.insertOneStatement, parameters), on: connection)
        #expect(!insertOne.contains("Sort") && !insertOne.contains("Subquery Scan"), "\(insertOne)")

        let names: [Identifier] = []
        let looks = [
            TradeStore.read([TradeKey]()), BalanceStore.read([]), AccountStore.find(names),
            ObstacleStore.find(among: [], markets: []), HoldStore.read([]), OperationStore.read(names),
            TradeStore.oldestWaiting(of: names, except: [Int64]()),
        ]
        for look in looks {
            let plan = try plan(look, on: connection)
            #expect(plan.contains("Index") && !plan.contains("Seq Scan"), "\(look.statement.name): \(plan)")
        }

        // Without hash joins, two lists are compared each with each: what parks a batch must not join any.
        let park = try plan(DeadLetterStore.park([], actor: "test"), on: connection)
        #expect(!park.contains("Join"), "\(park)")
    }

    @Test func `the number of the batch is looked up once a statement, not once a row`() throws {
        let connection = try connection(.empty)
        let requests = [
            TradeStore.insert(DecidedTrades(countMax: 0)),
            Request(TradeStore.insertOneStatement, TradeStore.insert(DecidedTrades(countMax: 0)).parameters),
            TradeStore.finishWaiting([]), OperationStore.insert([]),
            DeadLetterStore.park([], actor: "test"),
        ]
        for request in requests {
            #expect(request.statement.sql.contains("currval"), "\(request.statement.name)")
            let plan = try plan(request, on: connection)
            #expect(plan.contains("InitPlan"), "\(request.statement.name): \(plan)")
        }
    }
}
