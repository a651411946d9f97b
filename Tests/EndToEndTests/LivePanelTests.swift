import Foundation
import SettleTesting
import Testing

extension Processes {
    /// The live panel of `settle up` on a terminal, driven by keys, and what is on the screen then.
    @Suite(.timeLimit(.minutes(5))) struct LivePanelTests {
        /// The engine's folder is made where the program runs.
        private let folder: FreshDirectory

        init() throws { folder = try FreshDirectory() }

        @Test func `the panel shows what happens, and its keys do what they say`() async throws {
            // given
            let database = try TestDatabase()
            // With room for more events than five letters, which would push away what was said just before them.
            let terminal = try panel(on: database, "--rate", "300/s", rows: 40)
            let modes = terminal.modes

            // when it has begun
            try await terminal.waitUntil("trades are settled") { $0.settled > 300 }
            let before = terminal.screen.settled
            try await terminal.waitUntil("more are settled") { $0.settled > before + 300 }
            let screen = try await terminal.waitUntil("the books were looked at") {
                $0.holds("each asset sums to 0         yes") && $0.holds("database counts the same     yes")
            }
            #expect(screen.isAlternate && !screen.isCursorVisible && !screen.wrapsLines)
            #expect(screen.lines[0].hasPrefix(" settle up  running"), "\(screen.text)")
            #expect(!screen.text.contains("password"))
            #expect(screen.lines[39] == " p pause    x poison   k kill a worker   q stop   ? help")

            // then poison is parked, each kind under its class
            terminal.type("x")
            try await terminal.waitUntil("the poison was sent") {
                $0.holds("poison sent: bad bytes, unknown market, price < 0, no funds, same id")
            }
            try await terminal.waitUntil("it is among the dead letters") { screen in
                ["conflict", "invalid", "undecodable", "unknown_market"].allSatisfy {
                    screen.holds("     \($0.padding(toLength: 15, withPad: " ", startingAt: 0))          1")
                }
            }

            // and a pause ends the rate, and a resume begins it again
            terminal.type("p")
            try await terminal.waitUntil("it has paused") {
                $0.lines[0].contains("paused") && $0.holds(" 0/s") && $0.lines[39].hasPrefix(" p resume")
            }
            #expect(try await database.expecting("queue status").contains("paused"))
            let paused = terminal.screen
            let later = try await terminal.waitUntil("a while has gone by") { $0.seconds >= paused.seconds + 2 }
            #expect(later.settled == paused.settled)
            // The engine goes on meanwhile, and what is not settled is its lag.
            try await terminal.waitUntil("the lag grows") { $0.lag > 500 }
            let behind = terminal.screen.lag
            terminal.type("r")
            try await terminal.waitUntil("it has resumed") {
                $0.settled > paused.settled && $0.lines[0].contains("running")
            }
            try await terminal.waitUntil("the books have caught up") { $0.lag < behind }

            // and so does somebody else's
            try await database.expecting("queue pause --reason lunch")
            try await terminal.waitUntil("it has paused") { $0.lines[0].contains("paused") && $0.holds("  paused by ") }
            try await database.expecting("queue resume")
            try await terminal.waitUntil("it has resumed") { $0.lines[0].contains("running") }

            // and a killed connection costs a retry, and nothing else
            terminal.type("k")
            try await terminal.waitUntil("a connection was killed") { $0.contains(#/worker \d+'s connection killed/#) }
            try await terminal.waitUntil("it is there again") {
                $0.contains(#/worker \d+ reconnected \(process \d+\): nothing lost, nothing doubled/#)
            }
            try await terminal.waitUntil("the retry is counted") { $0.contains(#/retries [1-9]/#) }
            #expect(try database.value("select count(distinct transaction) = count(*) from batches") == "true")

            // and another size is another screen
            let clears = terminal.screen.clearCount
            terminal.resize(columns: 100, rows: 30)
            try await terminal.waitUntil("it is drawn anew") {
                $0.clearCount == clears + 1 && $0.lines[29].hasPrefix(" p pause")
                    && $0.lines[0].count == 99 && $0.lines[1].isEmpty
            }
            terminal.type("?")
            try await terminal.waitUntil("help is shown") { $0.holds("^Z    suspend") }
            #expect(terminal.screen.contains(#/settle book BTC/USDT --engine tcp://127\.0\.0\.1:\d+/#))
            terminal.type(" ")
            try await terminal.waitUntil("help has gone") { $0.contains(#/^ settled +[0-9,]+/#) }

            // when it is stopped
            terminal.type("q")
            #expect(try await terminal.wait() == 0)

            // then the terminal is as it was, and the summary stands on it
            let end = terminal.screen
            #expect(!end.isAlternate && end.isCursorVisible && end.wrapsLines)
            #expect(end.unknown == [])
            #expect(end.clearCount == clears + 1, "only another size erases the screen")
            #expect(terminal.modes == modes)
            let transcript = end.transcript.joined(separator: "\n")
            #expect(transcript.contains("The books balance"), "\(transcript)")
            #expect(transcript.contains(", left 0\n"))
            #expect(transcript.contains("The engine agrees: 300 balances of 100 accounts at record "))
            #expect(try database.value("select count(*) from dead_letters where source = 'up, poison'") == "5")
            #expect(try database.violations() == [])
        }

        @Test func `what it proposes at its end heals a dead letter`() async throws {
            let database = try TestDatabase()
            let terminal = try PseudoTerminal(
                ["up", "--trades", "120", "--rate", "600/s"], columns: 200,
                environment: ["DATABASE_URL": database.connectionString], directory: folder.path)
            #expect(try await terminal.wait() == 0)
            let text = terminal.screen.transcript.joined(separator: "\n")
            let letter = try #require(text.firstMatch(of: #/dlq show (\d+)\n/#)?.1, "\(text)")
            let credit = try #require(text.firstMatch(of: #/(account credit sim-poor \S+ USDT --reason trial)\n/#)?.1)
            #expect(text.contains("dlq retry \(letter)\n"))
            #expect(text.contains(#/explain (BTC|ETH)/(USDT|BTC):\d+\n/#))
            let shown = try await database.expecting("dlq show \(letter)")
            #expect(shown.contains("insufficient_funds"))
            // Direct deposits are refused while an engine is followed.
            #expect(shown.contains("\nNext: settle account credit sim-poor "), "\(shown)")
            try await database.expecting(String(credit))
            try await database.expecting("dlq retry \(letter)")
            try await database.expecting("worker --once")
            #expect(try database.value("select status from dead_letters where letter_no = \(letter)") == "retried")
            #expect(
                try database.value(
                    "select t.status from dead_letters l join trades t using (market, trade_id) "
                        + "where letter_no = \(letter)") == "SETTLED")
            #expect(try database.violations() == [])
        }

        @Test(arguments: [SIGTERM, SIGINT]) func `a signal drains and gives the terminal back`(
            _ signal: Int32
        ) async throws {
            let database = try TestDatabase()
            let terminal = try panel(on: database, "--rate", "300/s")
            let modes = terminal.modes
            try await terminal.waitUntil("trades are settled") { $0.settled > 100 }
            #expect(terminal.modes != modes)
            if signal == SIGINT { terminal.type("\u{3}") } else { terminal.signal(signal) }
            #expect(try await terminal.wait() == 0)
            expectTerminalIsBack(terminal, modes)
            #expect(terminal.screen.transcript.joined(separator: "\n").contains("The books balance"))
            #expect(try database.violations() == [])
        }

        @Test func `a forced stop ends with 130 and gives the terminal back`() async throws {
            let database = try TestDatabase()
            let terminal = try panel(on: database, "--rate", "300/s")
            let modes = terminal.modes
            try await terminal.waitUntil("trades are settled") { $0.settled > 100 }
            let lock = try database.connect()
            try lock.script("begin; lock balances in share row exclusive mode")
            try await eventually("a batch waits for the lock") {
                try database.value(
                    "select count(*) from pg_locks where not granted and relation = 'balances'::regclass") != "0"
            }
            terminal.type("\u{3}")
            try await terminal.waitUntil("it says that it stops") { $0.lines[0].contains("stopping") }
            terminal.type("\u{3}")
            #expect(try await terminal.wait() == 130)
            expectTerminalIsBack(terminal, modes)
            #expect(terminal.screen.transcript.joined(separator: "\n").contains("stopped at once; "))
            try lock.script("rollback")
            #expect(try database.violations() == [])
        }

        @Test func `a third Ctrl-C ends at once what a dead server keeps from ending, and gives the terminal back`()
            async throws
        {
            let crashing = try CrashingDatabase()
            let terminal = try panel(on: crashing.database, "--rate", "300/s")
            let modes = terminal.modes
            try await terminal.waitUntil("trades are settled") { $0.settled > 100 }
            // Whoever holds the lock lets nothing commit, and a server that does not answer lets nothing be cancelled.
            let lock = try crashing.database.connect()
            try lock.script("begin; lock balances in share row exclusive mode")
            try await eventually("a batch waits for the lock") {
                try crashing.database.value(
                    "select count(*) from pg_locks where not granted and relation = 'balances'::regclass") != "0"
            }
            let file = try String(contentsOfFile: crashing.cluster.dataDirectory + "/postmaster.pid", encoding: .utf8)
            let server = try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
            kill(server, SIGSTOP)
            defer { kill(server, SIGCONT) }
            terminal.type("\u{3}")
            try await terminal.waitUntil("it says that it stops") { $0.lines[0].contains("stopping") }
            terminal.type("\u{3}")
            try await Task.sleep(for: .milliseconds(500))
            #expect(terminal.isRunning)
            terminal.type("\u{3}")
            #expect(try await terminal.wait() == 130)
            expectTerminalIsBack(terminal, modes)
            #expect(!terminal.screen.transcript.joined().contains("stopped at once"))
            kill(server, SIGCONT)
            try lock.script("rollback")
            #expect(try crashing.database.violations() == [])
        }

        @Test func `a database that goes away is told, counted against nobody, and found again`() async throws {
            let crashing = try CrashingDatabase()
            let terminal = try panel(on: crashing.database, "--rate", "200/s", rows: 40)
            try await terminal.waitUntil("trades are settled") { $0.settled > 100 }
            try crashing.cluster.stopImmediately()
            try await terminal.waitUntil("it says that the database is away") {
                $0.lines[0].contains("database away")
                    && $0.holds("the database is away; nothing is counted against any trade")
            }
            let before = terminal.screen.settled
            try crashing.cluster.start()
            try await terminal.waitUntil("it goes on") {
                $0.holds("the database is back") && $0.lines[0].contains("running") && $0.settled > before
            }
            terminal.type("q")
            #expect(try await terminal.wait() == 0)
            #expect(terminal.screen.transcript.joined(separator: "\n").contains(", left 0\n"))
            #expect(
                try crashing.database.value("select count(*) from dead_letters where class = 'retries_exhausted'")
                    == "0")
            #expect(try crashing.database.violations() == [])
        }

        @Test(arguments: [SIGQUIT, SIGABRT]) func `a signal that ends the program leaves no terminal in disorder`(
            _ signal: Int32
        ) async throws {
            let database = try TestDatabase()
            let terminal = try panel(on: database, "--rate", "100/s")
            let modes = terminal.modes
            try await terminal.waitUntil("trades are settled") { $0.settled > 10 }
            terminal.signal(signal)
            #expect(try await terminal.wait() == 128 + signal)
            expectTerminalIsBack(terminal, modes)
            #expect(try database.violations() == [])
        }

        @Test func `a suspended panel gives the terminal back, and comes back to it`() async throws {
            let database = try TestDatabase()
            let terminal = try panel(on: database, "--rate", "100/s")
            let modes = terminal.modes
            try await terminal.waitUntil("trades are settled") { $0.settled > 10 }
            terminal.type("\u{1A}")
            try await eventually("it is suspended") { terminal.isSuspended }
            try await terminal.waitUntil("what it wrote last has arrived") { !$0.isAlternate }
            expectTerminalIsBack(terminal, modes)
            terminal.signal(SIGCONT)
            try await terminal.waitUntil("the panel is there again") { $0.isAlternate && $0.settled > 10 }
            #expect(terminal.modes != modes)
            terminal.type("q")
            #expect(try await terminal.wait() == 0)
            expectTerminalIsBack(terminal, modes)
            #expect(try database.violations() == [])
        }

        @Test func `without colours, without UTF-8 and in a small window it is still readable`() async throws {
            let database = try TestDatabase()
            let terminal = try PseudoTerminal(
                ["up", "--rate", "100/s"], columns: 40, rows: 10,
                environment: ["DATABASE_URL": database.connectionString, "NO_COLOR": "1", "LC_ALL": "C"],
                directory: folder.path)
            let screen = try await terminal.waitUntil("trades are settled") { $0.settled > 10 }
            #expect(
                screen.lines.allSatisfy { $0.utf8.count <= 40 && $0.utf8.allSatisfy { $0 < 0x80 } }, "\(screen.text)")
            #expect(screen.lines[9] == " p pause  x poison k kill q stop ?")
            for row in 0..<10 { #expect((0..<40).allSatisfy { screen.cell(row: row, column: $0).styles.isEmpty }) }
            terminal.type("q")
            #expect(try await terminal.wait() == 0)
            #expect(terminal.screen.unknown == [])
        }

        @Test(arguments: [("jsonl", "xterm", "{\"settled\":"), ("text", "dumb", "settled ")])
        func `a machine's output and a dumb terminal get lines`(
            _ format: String, _ type: String, _ beginning: String
        ) async throws {
            let database = try TestDatabase()
            let terminal = try PseudoTerminal(
                ["up", "-o", format, "--rate", "50/s"], columns: 200, rows: 50,
                environment: ["DATABASE_URL": database.connectionString, "TERM": type], directory: folder.path)
            let modes = terminal.modes
            try await terminal.waitUntil("two lines are there") { screen in
                screen.lines.count { $0.hasPrefix(beginning) && $0.contains("p99") } >= 2
            }
            terminal.signal(SIGTERM)
            #expect(try await terminal.wait() == 0)
            #expect(terminal.modes == modes)
            let screen = terminal.screen
            #expect(screen.frameCount == 0 && screen.unknown == [])
        }

        @Test func `piped, it prints a line a second and no control sequence`() async throws {
            let database = try TestDatabase()
            let up = try Program(
                ["up", "--rate", "100/s"],
                environment: ["DATABASE_URL": database.connectionString, "TERM": "xterm"], directory: folder.path)
            let line = #/settled \d+  rate \d+/s  p50 [\d.]+ ms  p99 [\d.]+ ms  queue \d+  retries 0 .*/#
            let figures = #/  dead letters \d+  orders \d+  lag \d+$/#
            try await eventually("two lines are there") {
                up.outputSoFar.split(separator: "\n").count { $0.wholeMatch(of: line) != nil && $0.contains(figures) }
                    >= 2
            }
            let result = await up.stop()
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(!result.output.contains("\u{1B}") && !result.errors.contains("\u{1B}"))
            #expect(try database.violations() == [])
        }

        private func panel(
            on database: TestDatabase, _ arguments: String..., rows: Int = 24
        ) throws -> PseudoTerminal {
            try PseudoTerminal(
                ["up"] + arguments, rows: rows, environment: ["DATABASE_URL": database.connectionString],
                directory: folder.path)
        }

        private func expectTerminalIsBack(
            _ terminal: PseudoTerminal, _ modes: [UInt32], _ location: SourceLocation = #_sourceLocation
        ) {
            let screen = terminal.screen
            #expect(!screen.isAlternate && screen.isCursorVisible && screen.wrapsLines, sourceLocation: location)
            #expect(terminal.modes == modes, sourceLocation: location)
            #expect(screen.unknown == [], sourceLocation: location)
        }
    }
}

extension TerminalScreenEmulator {
    fileprivate func holds(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
    fileprivate func contains(_ pattern: some RegexComponent) -> Bool { lines.contains { $0.contains(pattern) } }

    /// The figure behind `settled`.
    fileprivate var settled: Int {
        guard isAlternate, let line = lines.first(where: { $0.hasPrefix(" settled ") }),
            let words = line.split(separator: " ").dropFirst().first
        else { return 0 }
        return Int(words.replacing(",", with: "")) ?? 0
    }

    /// How many records are not settled.
    fileprivate var lag: Int {
        guard isAlternate, let line = lines.first(where: { $0.hasPrefix(" engine ") }),
            let figure = line.firstMatch(of: #/lag +([0-9,]+)/#)?.1
        else { return 0 }
        return Int(figure.replacing(",", with: "")) ?? 0
    }

    /// The time since the start, of the first line.
    fileprivate var seconds: Int {
        guard let words = lines[0].firstMatch(of: #/(\d+):(\d\d)/#) else { return 0 }
        return Int(words.1)! * 60 + Int(words.2)!
    }
}
