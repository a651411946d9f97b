import Repository
import SettleTesting
import Testing

/// Roles that may do no more than they must: `settle migrate grants`.
@Suite struct RoleTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    /// Roles belong to the server, which other tests use too.
    private func role(_ kind: String) -> String { "\(kind)_\(database.name)" }

    /// The database as such a role reaches it.
    private func database(as kind: String) -> TestDatabase {
        TestDatabase(name: database.name, connectionString: database.connectionString + " user='\(role(kind))'")
    }

    private func makeRoles() async throws {
        for kind in ["worker", "operator", "auditor"] { try database.execute("create role \(role(kind)) login") }
        let granted = try await database.expecting(
            "migrate grants --worker \(role("worker")) --operator \(role("operator")) --auditor \(role("auditor"))")
        #expect(granted.hasPrefix("granted in "))
    }

    private func isRefused(_ sql: String, as kind: String) throws {
        #expect {
            try database(as: kind).execute(sql)
        } throws: { error in
            guard let error = error as? DatabaseError else { return false }
            return error.sqlState == "42501" || "\(error)".contains("must be owner")
        }
    }

    @Test func `a worker settles over the end of a range with no right to change what it wrote`() async throws {
        let load = TradeLoad(2_000, seed: 5)
        try await load.prepare(database)
        try await makeRoles()
        let restricted = database(as: "worker")
        // Given: a few numbers before the end of the first range.
        try database.execute("select setval('batch_numbers', (1 << 20) - 5)")
        let worker = try await Program.worker(on: restricted, ["--batch", "40"])
        try load.store(load.trades, in: restricted)
        try await eventually("all trades are settled") { try database.trades(.settled) == 2_000 }
        #expect(await worker.waitFor("indexes are left to the owner of the tables"))
        let result = await worker.stop()
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(!result.errors.contains("permission denied"), "\(result.errors)")
        #expect(try database.value("select count(distinct batch_no >> 20) from batches") == "2")
        #expect(try load.wrongBalances(in: database) == [])
        // And: it seals, and the owner builds what it left.
        #expect(try await restricted.expecting("audit seal").hasPrefix("sealed "))
        try await restricted.expecting("verify --chain")
        #expect(try await restricted.typing("migrate indexes").exitCode == 1)
        try await database.expecting("migrate indexes")
        #expect(try await database.typing("migrate indexes").errors == "Every index is there.\n")

        for table in ["ledger_entries", "batches", "ledger_seals", "operations"] {
            for kind in ["worker", "operator", "auditor"] {
                try isRefused("delete from \(table)", as: kind)
                try isRefused("truncate \(table)", as: kind)
                try isRefused("alter table \(table) disable trigger all", as: kind)
                try isRefused("drop table \(table)", as: kind)
            }
        }
        for sql in [
            "update ledger_entries set available_delta = 0", "update batches set committed_at = now()",
            "update ledger_seals set sealed_at = now()", "update operations set amount = 1", "delete from trades",
            "delete from ledger_entries_0", "insert into ledger_entries_0 select * from ledger_entries_0",
            "update assets set decimals = 1", "update migrations set name = ''",
            "set session_replication_role = replica", "select setval('batch_numbers', 1)",
            "create table public.more ()",
            "create or replace function ledger_range_of(batch bigint) returns bigint "
                + "language sql immutable as $$ select 1::bigint $$",
            "select add_market('BTC/X', 'BTC', 'USDT', 1, null, null, 'received')",
        ] {
            try isRefused(sql, as: "worker")
        }
        // Of trades those that are settled are kept by their trigger, which nobody but the owner can take away.
        #expect { try restricted.execute("update trades set price = 1") } throws: { "\($0)".contains("is settled") }
        try isRefused("truncate trades", as: "worker")
        #expect(try database.violations() == [])
    }

    @Test func `an auditor reads everything and writes nothing, an operator adds markets`() async throws {
        try await database.fund()
        try await makeRoles()
        let auditor = database(as: "auditor")
        try await auditor.expecting("verify")
        try await auditor.expecting("verify --chain")
        try await auditor.expecting("export ledger")
        try await auditor.expecting("balance alice")
        let deposit = try await auditor.typing("deposit alice 1 USDT --id d9")
        #expect(deposit.exitCode != 0 && deposit.errors.contains("permission denied"), "\(deposit.errors)")
        #expect(try await auditor.typing("audit seal").exitCode == 1)
        for table in ["trades", "balances", "accounts", "assets", "queue_control"] {
            try isRefused("delete from \(table)", as: "auditor")
            try isRefused("insert into \(table) default values", as: "auditor")
        }
        let clerk = database(as: "operator")
        try await clerk.expecting("asset add ETH --decimals 8")
        try await clerk.expecting("market add ETH/USDT")
        try await clerk.expecting("deposit alice 1 ETH --id d9")
        try await clerk.expecting("trade submit", input: tradeLine("7", market: "ETH/USDT"))
        #expect(try database.violations() == [])
    }

    @Test func `a table that came after the grants of a worker is missed by the doctor`() async throws {
        try await makeRoles()
        try database.execute("revoke all on verified_streams from \(role("worker"))")
        let worker = try await Program.worker(on: database(as: "worker"))
        let finding = "role \(role("worker")), as which a worker is connected, may not read table verified_streams"
        try await eventually("the doctor says so") {
            try await database.typing("doctor").output.contains(finding)
        }
        try await database.expecting("migrate grants --worker \(role("worker"))")
        #expect(try await !database.typing("doctor").output.contains(finding))
        #expect(await worker.stop().exitCode == 0)
    }

    @Test func `what would be granted is printed, and who had more loses it`() async throws {
        let name = role("worker")
        let printed = try await database.expecting("migrate grants --worker \(name) --dry-run")
        #expect(printed.contains("grant select, insert on ledger_entries to \(name);\n"))
        #expect(!printed.contains("update on ledger_entries"))
        #expect(try database.count("pg_roles where rolname = '\(name)'") == 0)
        let missing = try await database.typing("migrate grants --worker \(name)")
        #expect(missing.exitCode == 5)
        #expect(
            missing.errors
                == "settle: role \"\(name)\" does not exist. Make it first, in psql: create role NAME login\n")
        try database.execute("create role \(name) login; grant all on ledger_entries to \(name)")
        try await database.expecting("migrate grants --worker \(name)")
        try isRefused("delete from ledger_entries", as: "worker")
        // Of every part and number, too, and no function of its own comes between.
        try database.execute(
            """
            grant all on all tables in schema public to \(name); grant all on all sequences in schema public to \(name);
            grant all on schema public to \(name)
            """)
        try await database.expecting("migrate grants --worker \(name)")
        for sql in [
            "insert into ledger_entries_0 select * from ledger_entries_0", "truncate ledger_entries_0",
            "select setval('batch_numbers', 1)",
            "create function public.format(text, text) returns text language sql as $$ select '' $$",
        ] {
            try isRefused(sql, as: "worker")
        }
        #expect {
            try database(as: "worker").execute("select ensure_ledger_range(-1)")
        } throws: {
            "\($0)".contains("is far from the newest")
        }
        let owner = try await database.typing("migrate grants --worker settle")
        #expect(owner.exitCode == 1 && owner.errors.contains("settle owns the tables"), "\(owner.errors)")
        #expect(try await database.typing("migrate grants").exitCode == 64)
        #expect(try await database.typing("migrate grants --worker a --auditor a").exitCode == 64)
    }
}
