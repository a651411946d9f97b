import Foundation
import SettleTesting
import Testing

/// What a running worker does on SIGHUP.
@Suite struct ConfigurationReloadTests {
    private let folder: ConfigurationFolder
    private let database: TestDatabase

    init() throws {
        folder = try ConfigurationFolder()
        database = try TestDatabase()
    }

    private func worker(_ flags: [String] = [], _ environment: [String: String] = [:]) async throws -> Program {
        let worker = try Program(
            ["worker"] + flags, environment: environment.merging(["DATABASE_URL": database.connectionString]) { $1 },
            directory: folder.path)
        guard await worker.waitFor("worker started") else {
            throw WaitedInVain(description: "a worker did not start: \(worker.errorsSoFar)")
        }
        return worker
    }

    private func submit(_ id: Int) async throws {
        let trade =
            #"{"id":\#(id),"market":"BTC/USDT","price":"2","quantity":"1","buyer_id":"alice","seller_id":"bob"}"#
        let result = try await Program.run(on: database, "trade", "submit", input: trade + "\n")
        #expect(result.exitCode == 0, "\(result.errors)")
    }

    /// A market with a buyer and a seller.
    private func prepare() async throws {
        try database.addMarket()
        for (account, amount, asset) in [("alice", "1000", "USDT"), ("bob", "1000", "BTC")] {
            let result = try await Program.run(
                on: database, "deposit", account, amount, asset, "--id", "dep-\(account)")
            #expect(result.exitCode == 0, "\(result.errors)")
        }
    }

    @Test func `the level of the log changes while the worker runs, and each change is named`() async throws {
        try await prepare()
        try folder.write("log: {level: info}\nqueue: {capacity: 20}\n")
        let worker = try await worker()
        try await submit(1)
        try await eventually("trade 1 is settled") {
            try database.value("select count(*) from trades where status = 'SETTLED'") == "1"
        }
        #expect(worker.occurrences(of: "event=settled") == 0)

        try folder.write("log: {level: debug}\nqueue: {capacity: 30}\nretry: {attempts_max: 9}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("event=\"configuration reloaded\" file=settle.yaml changed=2 need_restart=1"))
        #expect(worker.occurrences(of: "event=\"setting changed\" key=log.level from=info to=debug") == 1)
        #expect(worker.occurrences(of: "event=\"setting changed\" key=retry.attempts_max from=3 to=9") == 1)
        #expect(
            worker.occurrences(of: "event=\"setting needs a restart to change\" key=queue.capacity from=20 to=30") == 1)
        try await submit(2)
        #expect(await worker.waitFor("level=debug event=settled"), "the new level holds")

        try folder.write("log: {level: error}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("key=log.level from=debug to=error"))
        try folder.write("log: {level: info}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("key=log.level from=error to=info"))
        #expect(await worker.stop().exitCode == 0)
        #expect(try database.violations() == [])
    }

    @Test func `a file with a mistake changes nothing, and the worker goes on`() async throws {
        try await prepare()
        try folder.write("log: {level: debug}\n")
        let worker = try await worker()
        try folder.write("log:\n  level: error\nqueue:\n  capcity: 5\n")
        worker.signal(SIGHUP)
        #expect(
            await worker.waitFor(
                "level=error event=\"configuration not reloaded, the old one holds\" reason=\"settle.yaml:4: unknown key "
                    + "'queue.capcity'. Did you mean 'queue.capacity'?\""))
        try await submit(1)
        #expect(await worker.waitFor("level=debug event=settled"), "the old level holds")

        try FileManager.default.removeItem(atPath: folder.path + "/settle.yaml")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("reason=\"settle.yaml has gone\""))

        try folder.write("log: {level: warning}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("from=debug to=warning"), "a file that is right again is taken")
        let result = await worker.stop()
        #expect(result.exitCode == 0 && !result.wasKilled)
        #expect(try database.violations() == [])
    }

    @Test func `an interval of the sweep that is shortened counts at once`() async throws {
        try await prepare()
        try folder.write("sweep: {interval_milliseconds: 3600000}\n")
        let worker = try await worker()
        // What is inserted below is told to nobody: only a sweep finds it.
        try await eventually("the first sweep is over") {
            try await submit(1)
            return try database.value("select count(*) from trades where status = 'SETTLED'") == "1"
        }
        try database.execute(
            """
            alter table trades disable trigger user;
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
                values ('BTC/USDT', '2', 2, 1, 'alice', 'bob');
            alter table trades enable trigger user;
            """)
        try folder.write("sweep: {interval_milliseconds: 50}\n")
        worker.signal(SIGHUP)
        try await eventually("trade 2 is settled") {
            try database.value("select count(*) from trades where status = 'SETTLED'") == "2"
        }
        #expect(await worker.stop().exitCode == 0)
        #expect(try database.violations() == [])
    }

    @Test func `what a flag or a variable sets stays as it is`() async throws {
        try folder.write("log: {level: info}\nretry: {attempts_max: 5}\n")
        let worker = try await worker(["--log-level", "info"], ["SETTLE_RETRY_ATTEMPTS_MAX": "7"])
        try folder.write("log: {level: error}\nretry: {attempts_max: 6}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("event=\"configuration reloaded\" file=settle.yaml changed=0 need_restart=0"))
        #expect(await worker.stop().errors.contains("event=\"worker stopped\""))
    }

    @Test func `a file that comes later is taken over`() async throws {
        let worker = try await worker()
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("event=\"configuration reloaded\" file=none changed=0 need_restart=0"))
        try folder.write("log: {level: debug}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("key=log.level from=\"info, and error for 'settle up'\" to=debug"))
        #expect(await worker.stop().exitCode == 0)
    }

    @Test func `another database needs a restart, and no password is logged`() async throws {
        try folder.write("database: {url: \"\(database.connectionString) password=geheim\"}\n")
        let worker = try Program(["worker", "--log-level", "debug"], directory: folder.path)
        #expect(await worker.waitFor("worker started"), "\(worker.errorsSoFar)")
        try folder.write("database: {url: 'postgres://u:geheim@elsewhere/db'}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("event=\"setting needs a restart to change\" key=database.url from="))
        #expect(await worker.waitFor("to=postgres://u:********@elsewhere/db"))
        try folder.write("database: {url: 'geheim://elsewhere/db'}\n")
        worker.signal(SIGHUP)
        #expect(await worker.waitFor("reason=\"settle.yaml:1: database.url: expected a database URL"))
        let result = await worker.stop()
        #expect(result.exitCode == 0)
        #expect(!result.errors.contains("geheim"))
    }
}
