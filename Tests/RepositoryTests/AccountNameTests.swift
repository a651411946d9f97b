import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// Which accounts a name means.
@Suite struct AccountNameTests {
    private let connection: PostgresConnection

    init() throws {
        let database = try TestDatabase()
        try database.execute(
            """
            insert into accounts (id, kind)
            values ('0', 'house'), ('1', 'house'), ('0', 'world'), ('world', 'customer');
            insert into accounts (id) select 'c' || n from generate_series(1, 20000) n;
            analyze accounts
            """)
        connection = try database.connect()
    }

    @Test(arguments: [
        ("c7", ["c7"]), ("house", ["house/0", "house/1"]), ("house/1", ["house/1"]), ("house/2", []),
        ("world", ["world"]), ("world/0", ["world/0"]), ("nobody", []), ("0", []),
    ])
    func `a customer goes before the house and the world`(name: String, accounts: [String]) throws {
        #expect(try AccountStore.named(Identifier(name)!, connection).map(\.name) == accounts)
    }

    @Test(arguments: ["c7", "house", "house/1", "nobody"])
    func `no name has all accounts gone through`(name: String) throws {
        try connection.script("prepare named (text) as \(AccountStore.namedStatement.sql)")
        let rows = try connection.query(Statement("named_plan", "explain (costs off) execute named ('\(name)')"))
        let plan = rows.indices.map { rows.string($0, 0) }.joined(separator: "\n")
        #expect(!plan.contains("Seq Scan"), "\(plan)")
        #expect(plan.contains("accounts_not_customers"), "\(plan)")
    }
}
