import CommandKit
import Repository
import Testing
import TradeModel
import WalletClient

@testable import SettlementWorkers
@testable import settle

/// The panel as it is drawn, for a state that is known: compared character by character.
@Suite struct PanelScreenTests {
    private static let noon = Timestamp("2026-01-02T12:00:01Z")!

    /// An hour and more into a run: work, letters of five classes, a killed connection.
    private func busyState() -> PanelState {
        var counters = PoolSnapshot.Counters()
        counters.retries = 3
        var records = Array(repeating: PoolSnapshot.WorkerRecord(), count: 10)
        records[0] = PoolSnapshot.WorkerRecord(settled: 1_230_000, lastBatchSize: 500)
        records[1] = PoolSnapshot.WorkerRecord(settled: 4_567, lastBatchSize: 12)
        let idle = Array(repeating: PoolSnapshot.Activity.idle, count: 6)
        var state = PanelState(
            seed: 421_307, orders: "tcp://127.0.0.1:41453", database: "private PostgreSQL",
            pool: PoolSnapshot(
                queueDepth: 312, queueCapacity: 1_000, setAside: 4, inFlight: 512,
                workers: [.settling(500), .settling(12), .backingOff(until: .milliseconds(3_601_250))]
                    + [.waitingForDatabase] + idle,
                records: records, counters: counters, isOpen: true))
        state.uptime = .seconds(3_600)
        state.settled = 1_234_567
        state.engine = EngineMeter.Reading(
            orders: 1_300_000, trades: 1_234_590, openOrders: 118, sequence: 4_123_456, watermark: 4_123_444,
            delay: .microseconds(3_140))
        state.connections = [WalletPool.Connection(backend: 4711, worker: 0), .init(backend: nil, worker: nil)]
        for second in 0..<30 {
            state.addSecond(
                SettlementMeter.Second(settledInAll: 0, settled: second * 20, parkedInAll: 0, p50: "1.3", p99: "5.2"),
                EngineMeter.Second(orders: 1_485, trades: second * 20))
        }
        state.letters = Glance.OpenLetters(counts: [
            "insufficient_funds": 12_345, "conflict": 1, "invalid": 1, "undecodable": 1, "unknown_market": 2,
        ])
        state.books = PanelState.BooksGlance(unbalancedAssets: 0, agrees: true, at: .seconds(3_598))
        state.addEvent("poison sent: bad bytes, no funds", at: Self.noon)
        state.addEvent("worker 2's connection killed (PostgreSQL process 4711)", tone: .bad, at: Self.noon)
        state.addEvent("worker 2 reconnected (process 4733): nothing lost, nothing doubled", tone: .good, at: Self.noon)
        return state
    }

    private func lines(_ state: PanelState, _ columns: Int, _ rows: Int, _ glyphs: PanelGlyphs = .unicode) -> [String] {
        PanelScreen(state, glyphs, ScreenSize(columns: columns, rows: rows)).lines.map(\.text)
    }

    private func text(_ lines: [String]) -> String {
        lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
    }

    @Test func `80 columns and 24 rows hold everything`() {
        #expect(
            text(lines(busyState(), 80, 24)) == """
                 settle up  running  1:00:00                   seed 421307 · private PostgreSQL
                 engine       1,234,590      580/s  lag      12 orders  1,485/s   open 118
                 settled      1,234,567      580/s  ▁▂▂▃▃▄▄▅▅▆▆▇▇██
                 latency  p50     1.3 ms   p99     5.2 ms       retries 3   breaker closed
                 queue    ██████░░░░░░░░░░░░░░   312 of 1,000   in work 512   set aside 4

                 WORKERS                changes  batch                         changes  batch
                  1  settling 500     1,230,000    500   6  idle                     0      -
                  2  holding 12           4,567     12   7  idle                     0      -
                  3  backs off 1.2 s          0      -   8  idle                     0      -
                  4  awaits database          0      -   9  idle                     0      -
                  5  idle                     0      -  10  idle                     0      -

                 DEAD LETTERS  12,350 open               BOOKS
                     insufficient_funds     12,345          each asset sums to 0         yes
                     unknown_market           2             database counts the same     yes
                     conflict                 1             looked 2 s ago; verified at the end
                     invalid                  1
                     undecodable              1
                 EVENTS  UTC
                 12:00:01  poison sent: bad bytes, no funds
                 12:00:01  worker 2's connection killed (PostgreSQL process 4711)
                 12:00:01  worker 2 reconnected (process 4733): nothing lost, nothing doubled
                 p pause    x poison   k kill a worker   q stop   ? help
                """)
    }

    @Test func `a larger window shows more`() {
        #expect(
            text(lines(busyState(), 120, 40)) == """
                 settle up  running  1:00:00                                                           seed 421307 · private PostgreSQL

                 engine       1,234,590      580/s  lag      12 orders  1,485/s   open 118      record 4,123,456   behind 3.1 ms
                 settled      1,234,567      580/s  ▁▂▂▃▃▄▄▅▅▆▆▇▇██
                 latency  p50     1.3 ms   p99     5.2 ms       retries 3   breaker closed
                 queue    ██████░░░░░░░░░░░░░░   312 of 1,000   in work 512   set aside 4

                 WORKERS                changes  batch                         changes  batch                         changes  batch
                  1  settling 500     1,230,000    500   5  idle                     0      -   9  idle                     0      -
                  2  holding 12           4,567     12   6  idle                     0      -  10  idle                     0      -
                  3  backs off 1.2 s          0      -   7  idle                     0      -
                  4  awaits database          0      -   8  idle                     0      -

                 DEAD LETTERS  12,350 open               BOOKS
                     insufficient_funds     12,345          each asset sums to 0         yes
                     unknown_market           2             database counts the same     yes
                     conflict                 1             looked 2 s ago; verified at the end
                     invalid                  1
                     undecodable              1

                 EVENTS  UTC
                 12:00:01  poison sent: bad bytes, no funds
                 12:00:01  worker 2's connection killed (PostgreSQL process 4711)
                 12:00:01  worker 2 reconnected (process 4733): nothing lost, nothing doubled















                 p pause    x poison   k kill a worker   q stop   ? help
                """)
    }

    @Test func `40 columns and 10 rows hold the figures and the keys`() {
        #expect(
            text(lines(busyState(), 40, 10)) == """
                 settle up  running  1:00:00  seed 4213…
                 engine    1,234,590    580/s  lag 12
                 settled   1,234,567    580/s  ▅▅▆▆▇▇██
                 latency  p50     1.3 ms p99     5.2 ms
                 queue    ████░░░░░░░░   312 of 1,000
                 workers  2 at work, 6 idle, 1 backing …
                 letters  12,350 open  12,345 insuffici…
                 books    sum to 0  looked 2 s ago
                 12:00:01  worker 2 reconnected (proces…
                 p pause  x poison k kill q stop ?
                """)
    }

    @Test func `without UTF-8 every character is of ASCII`() {
        for (columns, rows) in [(80, 24), (120, 40), (40, 10)] {
            var state = busyState()
            state.addEvent("dead letter 18: unknown_account: there is no account Zoë", at: Self.noon)
            let lines = lines(state, columns, rows, .ascii)
            #expect(lines.allSatisfy { $0.utf8.allSatisfy { (0x20..<0x7F).contains($0) } }, "\(text(lines))")
            #expect(columns < 80 || text(lines).contains("there is no account Zo?"))
        }
    }

    @Test func `no line is too long and none is missing, however small the window`() {
        var helping = busyState()
        helping.isHelpShown = true
        var empty = PanelState(
            seed: 1, orders: "tcp://127.0.0.1:41453", database: "db.example:5432",
            pool: PoolSnapshot(
                queueDepth: 0, queueCapacity: 1, setAside: 0, inFlight: 0, workers: [], records: [],
                counters: .init(), isOpen: true))
        empty.phase = .stopping
        for state in [busyState(), helping, empty] {
            for columns in [1, 2, 10, 39, 40, 60, 77, 78, 80, 100, 118, 130] {
                for rows in [1, 2, 9, 10, 19, 20, 24, 28, 45] {
                    let lines = lines(state, columns, rows)
                    #expect(lines.count == rows, "\(columns)x\(rows)")
                    #expect(lines.allSatisfy { $0.columns <= columns }, "\(columns)x\(rows)")
                }
            }
        }
    }

    @Test func `what comes from outside cannot touch the terminal`() {
        var state = busyState()
        state.addEvent("dead letter 1: \u{1B}[2J\u{07}\u{202E}", at: Self.noon)
        #expect(text(lines(state, 80, 24)).contains("dead letter 1: \\u{1B}[2J\\u{7}\\u{202E}"))
    }

    @Test func `columns stay where they are while figures grow`() {
        var quiet = busyState()
        quiet.settled = 7
        quiet.engine = EngineMeter.Reading(sequence: 7)
        quiet.pool.queueDepth = 0
        quiet.phase = .paused
        quiet.uptime = .seconds(9)
        let (busy, calm) = (lines(busyState(), 80, 24), lines(quiet, 80, 24))
        for (row, word) in [
            (1, "/s"), (1, "lag"), (2, "/s"), (3, "p99"), (3, "breaker"), (4, " of 1,000"), (4, "in work"),
            (23, "x poison"),
        ] {
            #expect(
                busy[row].firstRange(of: word)!.lowerBound.utf16Offset(in: busy[row])
                    == calm[row].firstRange(of: word)!.lowerBound.utf16Offset(in: calm[row]), "\(word)")
        }
    }

    @Test func `red means trouble, and nothing else is red`() {
        func red(_ state: PanelState) -> [String] {
            PanelScreen(state, .unicode, ScreenSize(columns: 80, rows: 24)).lines
                .flatMap(\.spans).filter { $0.style == .red }.map(\.text)
        }
        var state = busyState()
        #expect(red(state) == ["awaits database", "worker 2's connection killed (PostgreSQL process 4711)"])
        state.breakerIsClosed = false
        state.books = PanelState.BooksGlance(unbalancedAssets: 1, agrees: false, at: .zero)
        #expect(Set(red(state)).isSuperset(of: ["database away", "open", "NO"]))
    }

    @Test func `a bar shows any part of a whole, and no more than the whole`() {
        func bar(_ part: Int, _ whole: Int) -> String { PanelGlyphs.ascii.bar(part, of: whole, columns: 10).filled }
        #expect(bar(0, 1_000) == "")
        #expect(bar(1, 1_000) == "#")
        #expect(bar(500, 1_000) == "#####")
        #expect(bar(1_500, 1_000) == "##########")
        #expect(bar(5, 0) == "")
    }

    @Test func `a sparkline moves to the left without changing its height`() {
        let numbers = [0, 10, 20, 30, 40, 50, 60, 70]
        func spark(_ numbers: ArraySlice<Int>, before: Int, columns: Int = 9) -> String {
            PanelGlyphs.unicode.sparkline(Array(numbers), before: before, perColumn: 2, columns: columns)
        }
        #expect(spark(numbers[...], before: 0) == "▂▄▆█")
        // One number is forgotten: its column was begun before, and goes.
        #expect(spark(numbers.dropFirst(), before: 1) == "▄▆█")
        #expect(spark(numbers[...], before: 0, columns: 2) == "▆█")
        #expect(spark([], before: 0) == "")
        #expect(spark([0, 0], before: 0) == "▁")
    }

    @Test(arguments: [
        (["LC_ALL": "C", "LANG": "de_DE.UTF-8"], false), (["LANG": "de_DE.UTF-8"], true),
        (["LC_ALL": "", "LC_CTYPE": "en_US.utf8"], true), ([:], false),
    ]) func `the locale says which characters there are`(_ environment: [String: String], _ isUnicode: Bool) {
        #expect((PanelGlyphs.matching(environment).ellipsis == "…") == isUnicode)
    }

    @Test func `the time since the start reads as on a clock`() {
        #expect([0, 42, 725, 11_229].map { Duration.seconds($0).clockText } == ["0:00", "0:42", "12:05", "3:07:09"])
    }
}
