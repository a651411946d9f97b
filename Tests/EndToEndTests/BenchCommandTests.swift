import Foundation
import Repository
import SettleTesting
import Testing

extension Benchmarks {
    /// `settle bench` with small numbers: what it reports, and that it leaves nothing behind.
    @Suite(.timeLimit(.minutes(10))) struct BenchCommandTests {
        private func bench(_ line: String, on database: TestDatabase) async throws -> Program.Result {
            try await Program(
                ["bench"] + line.split(separator: " ").map(String.init),
                environment: ["DATABASE_URL": database.connectionString]
            ).wait(timeout: .seconds(240))
        }

        private func figures(_ result: Program.Result) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        private func number(_ figures: [String: Any], _ path: String...) -> Double {
            var value: Any? = figures
            for key in path { value = (value as? [String: Any])?[key] }
            return (value as? NSNumber)?.doubleValue ?? -1
        }

        /// The scratch databases and schemas that this database's server has.
        private func scratches(_ database: TestDatabase) throws -> [String] {
            let connection = try database.connect()
            let rows = try connection.query(
                Statement(
                    "scratches",
                    """
                    select datname::text from pg_database where datname like 'settle_bench_%'
                    union all select nspname::text from pg_namespace where nspname like 'settle_bench_%'
                    """))
            return rows.indices.map { rows.string($0, 0) }
        }

        @Test func `each skew and opponent is reported, the books balance, and nothing is left or touched`()
            async throws
        {
            // given
            let database = try TestDatabase()
            try await database.fund()
            let before = try database.contents()

            // when
            let result = try await bench(
                "--yes --json --trades 300 --accounts 50 --rounds 1 --skew uniform,hot,ten,zipf,zipf:2.0 "
                    + "--compare naive,function,copy,pgbench --pgbench-scale 1", on: database)

            // then
            #expect(result.exitCode == 0, "\(result.errors)")
            let report = try figures(result)
            #expect(report["verified"] as? Bool == true)
            #expect(number(report, "trades_per_second") > 0)
            for quantile in ["p50", "p95", "p99", "max"] { #expect(number(report, "latency_ms", quantile) > 0) }
            let missing = (report["missing"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
            for opponent in ["naive", "naive_striped", "function", "copy", "pgbench"] where !missing.contains(opponent)
            {
                #expect(number(report, "ratio", opponent) > 0, "\(opponent)")
            }
            let runs = try #require(report["runs"] as? [[String: Any]])
            #expect(runs.compactMap { $0["skew"] as? String } == ["uniform", "hot", "ten", "zipf", "zipf"])
            for run in runs {
                #expect(run["settled"] as? Int == 300)
                #expect(number(run, "ratio", "naive", "median") > 0)
            }
            #expect(number(runs[1], "ratio_to_uniform", "median") > 0)
            #expect(number(report, "one_row_commit_ms", "p50") > 0)
            #expect(number(report, "alone_ms", "p50") > 0)
            #expect(number(report, "rows_per_trade") > 5)
            #expect(number(report, "peak_memory_bytes") > 1_000_000)
            #expect((report["settings"] as? [String: String])?["fsync"] == "off")
            #expect(try scratches(database) == [])
            #expect(try database.contents() == before)
            #expect(try database.violations() == [])
        }

        @Test func `what cannot be paid and what comes twice is counted, beside a clean run`() async throws {
            let database = try TestDatabase()
            let result = try await bench(
                "--yes --json --trades 2000 --accounts 50 --rounds 1 --unfundable 5 --duplicates 5", on: database)
            #expect(result.exitCode == 0, "\(result.errors)")
            let report = try figures(result)
            #expect(report["verified"] as? Bool == true)
            let runs = try #require(report["runs"] as? [[String: Any]])
            try #require(runs.count == 2)
            #expect((40...180).contains(number(runs[0], "rejected")))
            #expect((40...180).contains(number(runs[0], "duplicates")))
            #expect(number(runs[1], "rejected") == 0 && number(runs[1], "duplicates") == 0)
            #expect(number(runs[0], "ratio_to_clean", "median") > 0)
        }

        @Test func `two processes settle at a pace that follows from what they reach`() async throws {
            let database = try TestDatabase()
            let result = try await bench(
                "--yes --json --for 2s --warm-up 100ms --accounts 50 --rounds 1 --rate 50% --processes 2",
                on: database)
            #expect(result.exitCode == 0, "\(result.errors)")
            let report = try figures(result)
            #expect(report["verified"] as? Bool == true)
            let runs = try #require(report["runs"] as? [[String: Any]])
            #expect(runs.compactMap { $0["processes"] as? Int } == [2, 1, 2])
            #expect(runs.compactMap { $0["loop"] as? String } == ["closed", "closed", "open"])
            #expect(number(runs[0], "ratio_to_one_process", "median") > 0)
            #expect(number(runs[2], "offered_per_second") > 0)
            #expect(number(runs[2], "p99_to_one_row_commit") > 0)
            #expect(try scratches(database) == [])
        }

        @Test func `several rates are measured beside what is reached without one`() async throws {
            let database = try TestDatabase()
            let result = try await bench(
                "--yes --json --trades 300 --accounts 50 --rounds 1 --rate 20%,60%,500/s", on: database)
            #expect(result.exitCode == 0, "\(result.errors)")
            let runs = try #require(try figures(result)["runs"] as? [[String: Any]])
            #expect(runs.compactMap { $0["loop"] as? String } == ["closed", "open", "open", "open"])
            let offered = runs.map { number($0, "offered_per_second") }
            #expect(offered[1] > 0 && abs(offered[2] - 3 * offered[1]) <= 3 && offered[3] == 500, "\(offered)")
        }

        @Test func `with stages of age the tables grow, and what readers wait for is told`() async throws {
            let database = try TestDatabase()
            let result = try await bench(
                "--yes --trades 500 --accounts 50 --rounds 1 --prefill 0,3000 --json", on: database)
            #expect(result.exitCode == 0, "\(result.errors)")
            let report = try figures(result)
            #expect(report["verified"] as? Bool == true)
            for quantity in ["balance_ms", "statement_ms", "newest_entries_ms"] {
                #expect(number(report, quantity, "p50") > 0, "\(quantity)")
            }
            let runs = try #require(report["runs"] as? [[String: Any]])
            #expect(runs.map { number($0, "prefill") } == [0, 3_000])
            #expect(number(runs[1], "ratio_to_first_stage", "median") > 0)
            let stages = try #require(report["stages"] as? [[String: Any]])
            try #require(stages.count == 2)
            // Each stage has what the warming took, what filled it up, and its rounds.
            #expect(number(stages[0], "before", "trades") < 3_000)
            #expect(number(stages[1], "before", "trades") == 3_000)
            #expect(number(stages[1], "after", "trades") >= 3_500)
            let sizes = stages.flatMap { stage in
                ["before", "after"].map { number(stage, $0, "tables", "ledger_entries", "table_bytes") }
            }
            #expect(sizes.allSatisfy { $0 > 0 } && sizes == sizes.sorted(), "\(sizes)")
            #expect(number(stages[1], "after", "tables", "balances", "index_bytes") > 0)

            let text = try await bench("--yes --trades 100 --accounts 50 --rounds 1 --prefill 0,1000", on: database)
            #expect(text.output.contains("uniform, 1,000 before"))
            #expect(text.output.contains("TRADES IN THE TABLES") && text.output.contains("touched no index"))
        }

        @Test func `a bound that does not hold is told, and ends in a mismatch`() async throws {
            let database = try TestDatabase()
            let line = "--yes --json --trades 300 --accounts 50 --rounds 1 --compare naive"
            let kept = try await bench("\(line) --at-least naive=0.01 --memory-max 4GB", on: database)
            #expect(kept.exitCode == 0, "\(kept.errors)")
            let bounds = try #require(try figures(kept)["bounds"] as? [[String: Any]])
            #expect(bounds.compactMap { $0["what"] as? String } == ["naive", "memory_bytes"])
            #expect(bounds.allSatisfy { $0["holds"] as? Bool == true && number($0, "measured") > 0 })

            let broken = try await bench("\(line) --at-least naive=100000 --memory-max 1MB", on: database)
            #expect(broken.exitCode == 3)
            #expect(try figures(broken)["verified"] as? Bool == true)
            let last = try #require(broken.errors.split(separator: "\n").last)
            #expect(last.contains("x naive, which is below 100000"), "\(last)")
            #expect(last.contains("MB, which is above 1 MB"), "\(last)")
        }

        @Test func `a signal ends the filling of the tables`() async throws {
            let database = try TestDatabase()
            let program = try Program(
                ["bench", "--yes", "--accounts", "20", "--prefill", "100M"],
                environment: ["DATABASE_URL": database.connectionString])
            try await eventually("it fills its tables") {
                guard let scratch = try scratches(database).first else { return false }
                let rows = try database.connect().query(
                    Statement(
                        "filling",
                        "select coalesce(sum(tup_inserted), 0)::bigint from pg_stat_database where datname = $1"),
                    .text(scratch))
                // Far more than the funding and the warming of so few accounts.
                return rows.int64(0, 0) > 50_000
            }
            program.signal(SIGINT)
            let result = await program.wait(timeout: .seconds(60))
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.errors.contains("stopped"))
            #expect(try scratches(database) == [])
        }

        @Test func `a role that may not create databases gets a scratch schema`() async throws {
            let database = try TestDatabase()
            let role = "bench_" + database.name
            try database.execute("create role \(role) login; grant create on database \(database.name) to \(role)")
            let result = try await Program(
                [
                    "bench", "--yes", "--json", "--trades", "200", "--accounts", "20", "--rounds", "1", "--compare",
                    "naive",
                ],
                environment: ["DATABASE_URL": database.connectionString + " user=\(role)"]
            ).wait(timeout: .seconds(120))
            #expect(result.exitCode == 0, "\(result.errors)")
            let report = try figures(result)
            #expect(report["verified"] as? Bool == true)
            #expect((report["conditions"] as? [String: Any])?["scratch"] as? String == "schema")
            #expect(try scratches(database) == [])
        }

        @Test func `a signal stops it, and the scratch database is gone`() async throws {
            let database = try TestDatabase()
            let program = try Program(
                ["bench", "--yes", "--for", "10m", "--accounts", "20"],
                environment: ["DATABASE_URL": database.connectionString])
            try await eventually("it settles in its scratch database") {
                guard let scratch = try scratches(database).first else { return false }
                let rows = try database.connect().query(
                    Statement(
                        "settling",
                        "select count(*) from pg_stat_activity where datname = $1 and application_name = 'settle wallet'"
                    ),
                    .text(scratch))
                return rows.int64(0, 0) > 0
            }
            program.signal(SIGINT)
            let result = await program.wait(timeout: .seconds(60))
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.errors.contains("stopped"))
            #expect(result.output == "")
            #expect(try scratches(database) == [])
        }

        @Test func `what a killed run leaves behind is removed by the next`() async throws {
            let database = try TestDatabase()
            let program = try Program(
                ["bench", "--yes", "--for", "10m", "--accounts", "20"],
                environment: ["DATABASE_URL": database.connectionString])
            #expect(await program.waitFor("measuring in"))
            program.signal(SIGKILL)
            await program.wait()
            let leftover = try #require(try scratches(database).first)
            try await eventually("the server has noticed") {
                try database.connect().query(
                    Statement("users", "select count(*) from pg_stat_activity where datname = $1"), .text(leftover)
                ).int64(0, 0) == 0
            }
            let next = try await bench("--yes --trades 100 --accounts 20 --rounds 1", on: database)
            #expect(next.exitCode == 0, "\(next.errors)")
            #expect(next.errors.contains("removed the database \(leftover)"))
            #expect(next.output.contains("The books balance"))
            #expect(try scratches(database) == [])
        }

        @Test func `a database or a schema that is only called like one of its own is left alone`() async throws {
            let database = try TestDatabase()
            let name = "settle_bench_2026"
            try database.execute("create database \(name)")
            try database.execute("create schema \(name)")
            defer { try? database.execute("drop database \(name)") }
            let result = try await bench("--yes --trades 100 --accounts 20 --rounds 1", on: database)
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(try scratches(database) == [name, name])
        }

        @Test func `it wants a yes before it loads a server that is not the private one`() async throws {
            let database = try TestDatabase()
            let result = try await bench("--trades 100", on: database)
            #expect(result.exitCode == 64)
            #expect(result.errors.contains("heavy load") && result.errors.contains("--yes"))
            #expect(try scratches(database) == [])
        }

        @Test(arguments: [
            ("--trades 10 --for 1s", "'--trades' contradicts '--for'"),
            ("--skew warm", "expected uniform, hot, ten or zipf"),
            ("--skew hot:2", "only 'zipf' has an exponent"), ("--zipf 11", "a number from 0 to 10"),
            ("--unfundable 51", "a percentage from 0 to 50"), ("--rate 0%", "a rate such as 20000/s"),
            ("--accounts 9", "'--accounts' is a whole number from 10 to 10000000"),
            ("--rate 10%,fast", "a rate such as 20000/s"), ("--prefill 1M,0", "'--prefill' do not ascend"),
            ("--at-least naive=7", "'--at-least naive=7' needs '--compare'"),
            ("--compare naive --at-least naive", "an opponent and a number such as naive=7"),
            ("--compare naive --at-least naiv=7", "Did you mean 'naive'?"),
            ("--memory-max 200", "a size such as 200MB"),
            ("--compare naive,fast", "expected naive, function, pgbench or copy"),
        ])
        func `a mistyped option is one line of advice`(line: String, message: String) async throws {
            let result = try await Program(["bench"] + line.split(separator: " ").map(String.init)).wait()
            #expect(result.exitCode == 64)
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 1)
        }
    }
}
