import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import settle

/// Each check of the doctor, on a server that was brought into the state which it is to find.
@Suite struct DoctorTests {
    private func findings(
        _ database: TestDatabase, _ change: (inout Checkup.Thresholds) -> Void = { _ in },
        limits: Limits = TestDatabase.patientLimits
    ) throws -> [Finding] {
        var checkup = Checkup(
            connection: try database.connect(), second: try database.connect(), limits: limits,
            environment: ["SETTLE_MIGRATIONS": migrationsDirectory])
        change(&checkup.thresholds)
        return try checkup.findings()
    }

    private func finding(
        _ name: String, _ database: TestDatabase, _ change: (inout Checkup.Thresholds) -> Void = { _ in },
        limits: Limits = TestDatabase.patientLimits
    ) throws -> Finding {
        try #require(try findings(database, change, limits: limits).first { $0.name == name })
    }

    /// Types what a finding advises, as far as it is SQL, into a session of its own.
    private func follow(_ finding: Finding, _ database: TestDatabase) throws {
        let sql = try #require(finding.remedy).split(separator: "    (")[0]
        let session = try database.connect()
        for statement in sql.split(separator: ";") { try session.script(String(statement)) }
    }

    /// Expects a problem, follows the advice, and expects that all is well then.
    private func expectMended(
        _ name: String, _ message: String, _ database: TestDatabase,
        _ change: (inout Checkup.Thresholds) -> Void = { _ in }, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try finding(name, database, change)
        #expect(found.status == .problem, sourceLocation: location)
        #expect(found.message.contains(message), "\(found.message)", sourceLocation: location)
        try follow(found, database)
        let after = try finding(name, database, change)
        #expect(after.status == .ok, "\(after.message)", sourceLocation: location)
    }

    /// Lets the database see another world: what stands in the schema goes before PostgreSQL's own.
    private func pretend(_ definitions: String, _ database: TestDatabase) throws {
        try database.execute(
            """
            create schema pretended; \(definitions);
            alter database \(database.name) set search_path = pretended, pg_catalog, public
            """)
    }

    // MARK: The server

    @Test func `settings that endanger what was committed are problems, and the advice mends them`() async throws {
        let own = try CrashingDatabase()
        for (name, setting) in [
            ("durability", "fsync"), ("durability", "full_page_writes"), ("durability", "synchronous_commit"),
            ("autovacuum", "autovacuum"), ("autovacuum", "track_counts"),
        ] {
            #expect(try finding(name, own.database).status == .ok)
            try own.database.execute("alter system set \(setting) = off")
            try own.database.execute("select pg_reload_conf()")
            try await own.database.waitForSetting(setting, "off")
            let found = try finding(name, own.database)
            #expect(found.status == .problem)
            #expect(found.message.hasPrefix("\(setting) is off"), "\(found.message)")
            try follow(found, own.database)
            try await own.database.waitForSetting(setting, "on")
            #expect(try finding(name, own.database).status == .ok)
        }
    }

    @Test func `a setting of the database or the role is put back where it was made`() throws {
        let own = try CrashingDatabase()
        for place in ["database settle", "role settle", "role settle in database settle"] {
            try own.database.execute("alter \(place) set synchronous_commit = off")
            try expectMended("durability", "synchronous_commit is off", own.database)
            try own.database.execute("alter \(place) set default_transaction_read_only = on")
            try expectMended("server", "transactions are read-only here", own.database)
        }
    }

    @Test func `prepared transactions that never ended and slots that nobody reads are found`() throws {
        let own = try CrashingDatabase()
        try own.database.execute("alter system set max_prepared_transactions = 2")
        try own.cluster.stopImmediately()
        try own.cluster.start()
        try own.database.execute("begin; create table left_over (x integer); prepare transaction 'it''s mine'")
        #expect(try finding("prepared transactions", own.database).status == .ok)
        try expectMended("prepared transactions", "'it's mine' was prepared", own.database) {
            $0.preparedMillisecondsMax = 0
        }
        try own.database.execute("select pg_create_physical_replication_slot('gone', true)")
        #expect(try finding("replication slots", own.database).status == .remark)
        try expectMended("replication slots", "nobody reads slot gone, which keeps 0 MB", own.database) {
            $0.slotLogBytesMax = -1
        }
    }

    @Test func `a server whose disk is full is told, and nothing that could not be written is judged`() async throws {
        let database = try TestDatabase()
        #expect(try finding("room", database) == .ok("room", "the server's disk takes writes"))
        try pretend(
            """
            create function pretended.repeat(text, integer) returns text language plpgsql as $$ begin
                raise exception using errcode = 'disk_full',
                    message = 'could not write to file "base/pgsql_tmp/1": No space left on device';
            end $$
            """, database)
        let found = try findings(database)
        #expect(
            found.last
                == .problem(
                    "room",
                    "the server's disk has no room for 16 MB, so that it takes no writes, or soon none: "
                        + "could not write to file \"base/pgsql_tmp/1\": No space left on device",
                    remedy: "make room on the server's disk    (df -h there; workers go on by themselves)"))
        #expect(!found.contains { ["workers", "feed", "waiting trades"].contains($0.name) })
        let told = Settle.explain(
            DatabaseError(sqlState: "53100", message: "could not extend file: No space left on device"))
        #expect(told?.exit == .unavailable)
        #expect(told?.message.contains("Make room on the server's disk; nothing is lost") == true)
        #expect(told?.message.contains("Is it running?") == false)
    }

    @Test func `an old server, a standby and missing checksums are told`() throws {
        for (name, setting, value, status, message) in [
            ("server", "server_version_num", "140012", Finding.Status.problem, "is too old; settle needs 15 or newer"),
            ("checksums", "data_checksums", "off", .remark, "data checksums are off"),
        ] {
            let database = try TestDatabase()
            try pretend(
                """
                create view pretended.pg_settings as
                select name, case name when '\(setting)' then '\(value)' else setting end as setting, source
                  from pg_catalog.pg_settings
                """, database)
            let found = try finding(name, database)
            #expect(found.status == status)
            #expect(found.message.contains(message), "\(found.message)")
            #expect(found.remedy != nil)
        }
        let database = try TestDatabase()
        try pretend(
            "create function pretended.pg_is_in_recovery() returns boolean language sql as 'select true'", database)
        #expect(try finding("server", database).message == "this server follows another one and takes no writes")
        #expect(try !findings(database).contains { $0.name == "notifications" })
    }

    @Test(arguments: [("+ interval '2 hours 1 minute'", "ahead of"), ("- interval '2 hours 1 minute'", "behind")])
    func `a clock that goes wrong is told, with the direction`(shift: String, direction: String) throws {
        let database = try TestDatabase()
        #expect(try finding("clock", database).status == .ok)
        try pretend(
            """
            create function pretended.clock_timestamp() returns timestamptz language sql
            as $$ select pg_catalog.clock_timestamp() \(shift) $$
            """, database)
        let found = try finding("clock", database)
        #expect(found.status == .problem)
        #expect(found.message.hasPrefix("the server's clock is 2 hours \(direction) this"), "\(found.message)")
    }

    @Test func `too few connections for a worker are a problem of whoever limits them`() throws {
        let database = try TestDatabase()
        #expect(try finding("connections", database).status == .ok)
        var many = TestDatabase.patientLimits
        many.workerCount = 1_000
        many.connectionCount = 999
        let found = try finding("connections", database, limits: many)
        #expect(found.message.contains("too few are left for a worker, which takes 1000"), "\(found.message)")
        #expect(found.remedy?.hasPrefix("alter system set max_connections = ") == true)
        try database.execute("alter database \(database.name) connection limit 1")
        try expectMended("connections", "0 of 1 connection of this database in use", database)
    }

    // MARK: Sessions

    @Test func `a transaction that was left open is named, and can be ended`() throws {
        let database = try TestDatabase()
        let forgotten = try PostgresConnection(database.connectionString, applicationName: "report")
        try forgotten.script("set idle_in_transaction_session_timeout = 0; begin; select 1")
        #expect(try finding("transactions", database) { $0.idleTransactionMillisecondsMax = 3_600_000 }.status == .ok)
        try expectMended("transactions", "(report, settle) has had a transaction open", database) {
            $0.idleTransactionMillisecondsMax = 0
        }
    }

    @Test func `who waits for a lock is told with who holds it`() async throws {
        let database = try TestDatabase()
        let holder = try PostgresConnection(database.connectionString, applicationName: "holder")
        // However slow the machine is.
        try holder.script("set idle_in_transaction_session_timeout = 0; begin; lock table assets")
        let waiting = try Program(
            ["asset", "list"],
            environment: [
                "DATABASE_URL": database.connectionString, "SETTLE_LOCK_TIMEOUT_MILLISECONDS": "600000",
                "SETTLE_STATEMENT_TIMEOUT_MILLISECONDS": "600000",
            ])
        try await eventually("somebody waits for a lock", timeout: .seconds(240)) {
            try database.value("select count(*) from pg_locks where not granted and waitstart is not null") != "0"
        }
        #expect(try finding("locks", database) { $0.lockWaitMillisecondsMax = 3_600_000 }.status == .ok)
        let found = try #require(
            try findings(database) { $0.lockWaitMillisecondsMax = 0 }
                .first { $0.name == "locks" && $0.message.contains("(holder, settle) holds") })
        #expect(found.status == .problem)
        try follow(found, database)
        #expect(await waiting.wait().exitCode == 0)
    }

    @Test func `connections that share a session, or hear nothing of each other, are told`() throws {
        let database = try TestDatabase()
        let other = try TestDatabase()
        let limits = TestDatabase.patientLimits
        let shared = try database.connect()
        let pooled = try Checkup(connection: shared, second: shared, limits: limits, environment: [:]).findings()
        let pooler = try #require(pooled.first { $0.name == "pooler" })
        #expect(pooler.status == .problem)
        #expect(pooler.message.hasPrefix("a connection pooler in transaction mode stands before the server"))
        #expect(pooled.count == 1)
        let used = try database.connect()
        try used.script("prepare health_backend as select 1")
        let after = Checkup(connection: used, second: try database.connect(), limits: limits, environment: [:])
        #expect(try after.findings().map(\.status) == [.problem])
        let told = Settle.explain(DatabaseError(sqlState: "42P05", message: "already exists"))
        #expect(told?.exit == .unavailable)
        #expect(told?.message.hasPrefix("a connection pooler gives our session to others") == true)
        let deaf = try Checkup(
            connection: try database.connect(), second: try other.connect(), limits: limits, environment: [:],
            thresholds: Checkup.Thresholds(notificationMillisecondsMax: 50)
        ).findings()
        #expect(deaf.first { $0.name == "notifications" }?.status == .problem)
        #expect(try finding("pooler", database).status == .ok)
        #expect(try finding("notifications", database).status == .ok)
    }

    @Test func `an ordinary role sees what it may, and is told of the rest`() throws {
        let database = try TestDatabase()
        let role = "plain_\(database.name)"
        try database.execute("create role \(role) login")
        defer { try? database.execute("drop owned by \(role); drop role \(role)") }
        let plain = TestDatabase(
            name: database.name,
            connectionString: database.connectionString.replacing("user='settle'", with: "user='\(role)'"))
        let blind = try findings(plain)
        #expect(blind.first { $0.name == "server" }?.status == .ok)
        #expect(
            blind.first { $0.name == "transactions" }
                == .remark(
                    "transactions", "the sessions of other roles cannot be seen",
                    remedy: "grant pg_read_all_stats to \"\(role)\";    (as a superuser)"))
        #expect(blind.last?.name == "migrations")
        #expect(blind.last?.message.hasPrefix("cannot be looked at: permission denied") == true)
        try database.execute("grant select on all tables in schema public to \(role)")
        let reading = try findings(plain)
        #expect(reading.last?.name == "verification")
        #expect(
            reading.filter { $0.name != "durability" && $0.status != .ok }.map(\.name) == ["transactions", "ledger"])
    }

    // MARK: Tables

    @Test func `migrations that are missing, unknown or edited are told, and the tables are left alone`() throws {
        let database = try TestDatabase()
        func told() throws -> Finding {
            let all = try findings(database)
            #expect(all.last?.name == "migrations")
            return try #require(all.last)
        }
        try database.execute("insert into migrations (version, name, checksum) values (999, 'tomorrow', '')")
        #expect(try told().message.contains("migration 999 (tomorrow), which this program does not know"))
        try database.execute("delete from migrations where version = 999; update migrations set checksum = 'x'")
        #expect(try told().message.contains("was edited after it was applied"))
        try database.execute("delete from migrations where version > 0")
        try database.execute("update migrations set checksum = '\(try Self.files().migrations[0].checksum)'")
        let missing = try told()
        #expect(missing.message.hasPrefix("the database lacks migration 1 (books)"))
        #expect(missing.remedy == "settle migrate up")
        try database.execute("drop schema public cascade; create schema public")
        #expect(
            try told()
                == .problem("migrations", "the database has no tables of settle yet", remedy: "settle migrate up"))
    }

    private static func files() throws -> MigrationFiles { try MigrationFiles(directory: migrationsDirectory) }

    @Test func `tables that autovacuum leaves alone are told`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try database.execute("alter table balances set (autovacuum_enabled = false)")
        try expectMended("autovacuum", "table balances is excluded from autovacuum", database)
        try database.execute("alter table balances set (autovacuum_enabled = false)")
        try database.execute(
            """
            do $$ begin for i in 1..200 loop update balances set version = version; end loop; end $$;
            select pg_stat_force_next_flush()
            """)
        let told = try findings(database) { $0.deadRowsMax = 100 }.filter { $0.name == "autovacuum" }
        #expect(told.count == 2)
        #expect(told.last?.message.contains("dead rows and") == true)
        #expect(told.last?.remedy == "vacuum (analyze) \"balances\";")
        #expect(try database.violations() == [])
    }

    @Test func `an index whose building was broken off is told, and can be dropped or built anew`() throws {
        let database = try TestDatabase()
        #expect(try finding("indexes", database).status == .ok)
        try database.execute("create table twins (x integer); insert into twins values (1), (1)")
        #expect(throws: DatabaseError.self) {
            try database.execute("create unique index concurrently twins_once on twins (x)")
        }
        try database.execute("delete from twins")
        try expectMended("indexes", "index twins_once is invalid", database)
    }

    @Test func `a ledger without its next range is told, and the advice makes it`() throws {
        let database = try TestDatabase()
        try database.execute("drop table ledger_entries_1")
        try expectMended("ledger", "the ledger lacks a range", database)
    }

    @Test func `workers that fell silent or differ in version are remarks`() throws {
        let database = try TestDatabase()
        #expect(try finding("workers", database) == .ok("workers", "none is running"))
        try database.execute("insert into workers (host, process_id, version) values ('a', 1, '0.1.0')")
        #expect(try finding("workers", database) == .ok("workers", "1 worker running, version 0.1.0"))
        try database.execute("insert into workers (host, process_id, version) values ('b', 2, '0.2.0')")
        #expect(
            try finding("workers", database)
                == .remark(
                    "workers", "workers of several versions run: 0.1.0, 0.2.0", remedy: "restart the older ones"))
        try database.execute("update workers set heartbeat_at = now() - interval '5 minutes' where host = 'b'")
        let silent = try finding("workers", database)
        #expect(silent.status == .remark)
        #expect(
            silent.message
                == "worker 2 (process 2 on b) has been silent for 5 minutes; it was killed or is cut off")
    }

    @Test func `trades that wait are a problem only when they wait for long`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        #expect(try finding("waiting trades", database) == .ok("waiting trades", "no trade waits"))
        _ = try await database.typing("trade submit", input: tradeLine("1"))
        #expect(
            try finding("waiting trades", database)
                == .remark("waiting trades", "1 trade waits, and no worker runs", remedy: "settle worker"))
        try database.execute("update trades set received_at = now() - interval '3 minutes'")
        #expect(
            try finding("waiting trades", database)
                == .problem(
                    "waiting trades", "1 trade waits, for 3 minutes, and no worker runs", remedy: "settle worker"))
        _ = try await database.typing("trade submit", input: tradeLine("2"))
        try database.execute("insert into workers (host, process_id, version) values ('a', 1, '0.1.0')")
        #expect(
            try finding("waiting trades", database)
                == .problem(
                    "waiting trades",
                    "2 trades wait, the oldest for 3 minutes, though workers run; their log says what holds them up",
                    remedy: "settle trade list --status pending"))
        #expect(try database.violations() == [])
    }

    @Test func `trades that operators have stopped wait rightly, and are no problem`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try database.addMarket("ETH/USDT")
        _ = try await database.typing("trade submit", input: tradeLine("1"))
        try database.execute("update trades set received_at = now() - interval '3 minutes'")
        #expect(try finding("queue", database) == .ok("queue", "it runs, and no market is halted"))
        #expect(try finding("waiting trades", database).status == .problem)

        try await database.expecting("market halt BTC/USDT --reason prices")
        let halted = try finding("queue", database)
        #expect(halted.status == .remark)
        #expect(halted.message.contains(#/^market BTC/USDT is halted since \S+Z by \S+: prices$/#), "\(halted.message)")
        #expect(halted.remedy == "settle market resume BTC/USDT --reason '…'")
        #expect(
            try finding("waiting trades", database)
                == .ok("waiting trades", "1 trade waits for a halted market to go on"))
        // One that nobody stopped is as wrong as ever.
        _ = try await database.typing("trade submit", input: tradeLine("2", market: "ETH/USDT"))
        try database.execute("update trades set received_at = now() - interval '3 minutes'")
        #expect(
            try finding("waiting trades", database)
                == .problem(
                    "waiting trades",
                    "1 trade waits, for 3 minutes, and no worker runs; 2 trades wait with those of halted markets",
                    remedy: "settle worker"))

        try await database.expecting("queue pause --reason maintenance")
        let paused = try finding("queue", database)
        #expect(paused.status == .remark && paused.message.hasPrefix("the queue is paused since "))
        #expect(paused.remedy == "settle queue resume")
        #expect(
            try finding("waiting trades", database) == .ok("waiting trades", "2 trades wait for the queue to go on"))
        #expect(try database.violations() == [])
    }

    @Test func `open dead letters are a remark`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1", market: "BTC/EUR"))
        #expect(
            try finding("dead letters", database)
                == .remark(
                    "dead letters", "1 letter is open, which somebody should look at", remedy: "settle dlq list"))
        #expect(try database.violations() == [])
    }

    @Test func `little room on the disk is told before there is none`() {
        let gigabyte: Int64 = 1 << 30
        for (free, status) in [(gigabyte - 1, Finding.Status.problem), (5 * gigabyte, .remark), (50 * gigabyte, .ok)] {
            #expect(DiskSpace(freeBytes: free, totalBytes: 100 * gigabyte).finding(folder: "/data").status == status)
        }
        #expect(DiskSpace(of: "/nowhere/at/all") == nil)
        #expect(DiskSpace(of: "/").map { $0.totalBytes > $0.freeBytes } == true)
    }
}

extension TestDatabase {
    /// A reload reaches a new session a moment later.
    fileprivate func waitForSetting(_ name: String, _ value: String) async throws {
        try await eventually("\(name) is \(value)") { try self.value("current_setting('\(name)')") == value }
    }
}
