import CommandKit
import SettlementWorkers
import TradeModel
import WalletClient

// MARK: - Figures

extension PanelScreen {
    private var isNarrow: Bool { columns < 78 }

    var figures: [StyledLine] { [engine, settled, latency, queue] }

    /// What the engine has done in this run, and how far the books are behind it.
    private var engine: StyledLine {
        let (engine, rate) = (state.engine, state.engineRate)
        var line = label("engine")
        line.add(engine.trades.grouped, .bold, rightIn: isNarrow ? 10 : 13)
        line.add("\(rate.trades.grouped)/s", .bold, rightIn: isNarrow ? 9 : 11)
        line.add("  lag ", .dim)
        line.add(engine.lag.grouped, engine.isHeldBack ? .yellow : .bold, rightIn: isNarrow ? 1 : 7)
        guard !isNarrow else { return line }
        line.pad(toColumns: 48)
        line.add("orders ", .dim)
        line.add("\(rate.orders.grouped)/s", .bold, rightIn: 8)
        line.add("   open ", .dim)
        line.add(engine.openOrders.grouped, .bold)
        if columns >= Self.wideColumns {
            line.pad(toColumns: 80)
            line.add("record ", .dim)
            line.add(engine.sequence.grouped, .bold)
            line.add("   behind ", .dim)
            line.add("\(engine.delay.milliseconds) ms", .bold)
        }
        return line
    }

    private static var wideColumns: Int { 115 }

    private var settled: StyledLine {
        var line = label("settled")
        line.add(state.settled.grouped, .bold, rightIn: isNarrow ? 10 : 13)
        line.add("\((state.rates.last ?? 0).grouped)/s", .bold, rightIn: isNarrow ? 9 : 11)
        let room = columns - line.columns - 3
        let spark = glyphs.sparkline(
            state.rates, before: state.secondCount - state.rates.count, perColumn: 2, columns: min(room, 90))
        line.add("  " + spark, .cyan)
        return line
    }

    private var latency: StyledLine {
        var line = label("latency")
        for (name, value) in [("p50", state.p50), ("p99", state.p99)] {
            line.add(name, .dim)
            line.add(value, .bold, rightIn: 8)
            line.add(isNarrow ? " ms " : " ms   ", .dim)
        }
        if !isNarrow {
            line.pad(toColumns: 48)
            line.add(troubleTexts)
        }
        return line
    }

    private var queue: StyledLine {
        var line = label("queue")
        let bar = glyphs.bar(state.pool.queueDepth, of: state.pool.queueCapacity, columns: isNarrow ? 12 : 20)
        line.add(bar.filled, .cyan)
        line.add(bar.empty, .dim)
        let digits = state.pool.queueCapacity.grouped.count
        line.add(state.pool.queueDepth.grouped, .bold, rightIn: digits + 1)
        line.add(" of \(state.pool.queueCapacity.grouped)", .dim)
        if !isNarrow {
            line.pad(toColumns: 48)
            line.add("in work ", .dim)
            line.add(state.pool.inFlight.grouped, .bold)
            if state.pool.setAside > 0 {
                line.add("   set aside ", .dim)
                line.add(state.pool.setAside.grouped, .bold)
            }
        }
        return line
    }

    private var troubleTexts: StyledLine {
        var line = StyledLine()
        line.add("retries ", .dim)
        line.add(state.pool.counters.retries.grouped, .bold)
        line.add("   breaker ", .dim)
        line.add(state.breakerIsClosed ? "closed" : "open", state.breakerIsClosed ? nil : .red)
        return line
    }
}

// MARK: - Workers

extension PanelScreen {
    static let workerColumns = 37

    /// So many blocks of workers stand side by side.
    private var workerBlocks: Int { max(1, (columns - 1) / (Self.workerColumns + 2)) }

    /// How many rows all workers take.
    var workerRows: Int { (state.pool.workers.count + workerBlocks - 1) / workerBlocks }

    /// The workers from top to bottom, block after block.
    func workers(rows: Int) -> [StyledLine] {
        let count = state.pool.workers.count
        let shown = min(count, rows * workerBlocks)
        var first = heading("workers")
        if shown < count { first.add("  \(count - shown) more, not shown", .dim) }
        first.pad(toColumns: 24)
        for block in 0..<min(workerBlocks, (shown + rows - 1) / rows) {
            if block > 0 { first.add(String(repeating: " ", count: 25)) }
            first.add("changes  batch", .dim)
        }
        return [first]
            + (0..<rows).map { row in
                var line = StyledLine(" ")
                for block in 0..<workerBlocks where block * rows + row < shown {
                    line.pad(toColumns: 1 + block * (Self.workerColumns + 2))
                    line.add(worker(block * rows + row))
                }
                return line
            }
    }

    private func worker(_ index: Int) -> StyledLine {
        let record = state.pool.records[index]
        var line = StyledLine()
        line.add("\(index + 1)", .dim, rightIn: 2)
        line.add("  ")
        line.add(doing(index))
        line.pad(toColumns: 20)
        line.add(record.settled.grouped, record.settled > 0 ? .bold : .dim, rightIn: 10)
        line.add(record.lastBatchSize > 0 ? record.lastBatchSize.grouped : "-", .dim, rightIn: 7)
        return line
    }

    private func doing(_ index: Int) -> StyledLine {
        switch state.pool.workers[index] {
        case .idle: return StyledLine("idle", .dim)
        case .settling(let count):
            let hasConnection = state.connections.contains { $0.worker == index }
            return StyledLine("\(hasConnection ? "settling" : "holding") \(count)")
        case .backingOff(let end):
            let left = max(.zero, end - state.uptime)
            let tenths = left.components.seconds * 10 + left.components.attoseconds / 100_000_000_000_000_000
            return StyledLine("backs off \(tenths / 10).\(tenths % 10) s", .yellow)
        case .waitingForDatabase: return StyledLine("awaits database", .red)
        }
    }

    var shortWorkers: StyledLine {
        var line = label("workers")
        let groups = Dictionary(grouping: state.pool.workers) { activity in
            switch activity {
            case .settling: "at work"
            case .idle: "idle"
            case .backingOff: "backing off"
            case .waitingForDatabase: "await database"
            }
        }
        var parts = StyledLine()
        for name in ["at work", "idle", "backing off", "await database"] {
            guard let count = groups[name]?.count else { continue }
            parts.add((parts.columns > 0 ? ", " : "") + "\(count)", .bold)
            parts.add(" " + name, name == "await database" ? .red : .dim)
        }
        line.add(parts)
        return line
    }
}

// MARK: - Letters and books

extension PanelScreen {
    private var openText: String {
        guard let letters = state.letters else { return "not counted yet" }
        return letters.total.grouped + (letters.isCapped ? "+" : "") + " open"
    }

    private var sortedLetters: [(name: String, count: Int64)] {
        (state.letters?.counts ?? [:]).map { ($0.key, $0.value) }
            .sorted { $0.count == $1.count ? $0.name < $1.name : $0.count > $1.count }
    }

    func letters(rows: Int) -> [StyledLine] {
        var all = sortedLetters
        if all.count > rows {
            let rest = all[(rows - 1)...]
            all = Array(all.prefix(rows - 1)) + [("in \(rest.count) more classes", rest.reduce(0) { $0 + $1.count })]
        }
        var first = heading("dead letters")
        first.add("  ")
        first.add(openText, state.letters.map { $0.total > 0 } == true ? .bold : .dim)
        let lines = all.map { name, count in
            var line = StyledLine("     ")
            line.add(name)
            line.pad(toColumns: 20)
            line.add("\(count.grouped)", .bold, rightIn: 11)
            return line
        }
        return [first] + lines + Array(repeating: "", count: rows - lines.count)
    }

    var shortLetters: StyledLine {
        var line = label("letters")
        line.add(openText, state.letters.map { $0.total > 0 } == true ? .bold : .dim)
        let most = sortedLetters.prefix(2).map { "\($0.count.grouped) \($0.name)" }
        if !most.isEmpty { line.add("  " + most.joined(separator: ", "), .dim) }
        return line
    }

    private var ageText: String {
        guard let books = state.books else { return "" }
        return "\(max(.zero, state.uptime - books.at).components.seconds) s ago"
    }

    var books: [StyledLine] {
        func row(_ text: String, _ isTrue: Bool?) -> StyledLine {
            var line = StyledLine("    ")
            line.add(text)
            line.pad(toColumns: 31)
            guard let isTrue else {
                line.add("-", .dim, rightIn: 5)
                return line
            }
            line.add(isTrue ? "yes" : "NO", isTrue ? .bold : .red, rightIn: 5)
            return line
        }
        var remark = StyledLine("    ")
        remark.add(state.booksRemark ?? (state.books == nil ? "not looked yet" : "looked \(ageText)"), .dim)
        remark.add("; verified at the end", .dim)
        return [
            heading("books"), row("each asset sums to 0", state.books.map { $0.unbalancedAssets == 0 }),
            row("database counts the same", state.books?.agrees), remark,
        ]
    }

    var shortBooks: StyledLine {
        var line = label("books")
        guard let books = state.books else {
            line.add(state.booksRemark ?? "not looked yet", .dim)
            return line
        }
        let isGood = books.unbalancedAssets == 0 && books.agrees
        line.add(isGood ? "sum to 0" : "DO NOT BALANCE", isGood ? .bold : .red)
        line.add("  looked \(ageText)", .dim)
        return line
    }
}

// MARK: - Events

extension PanelScreen {
    /// The last events, the newest at the bottom.
    func eventLines(count: Int) -> [StyledLine] {
        state.events.suffix(max(0, count)).map { event in
            var line = StyledLine(" ")
            line.add(event.time, .dim)
            line.add("  ")
            switch event.tone {
            case .plain: line.add(event.text)
            case .good: line.add(event.text, .green)
            case .bad: line.add(event.text, .red)
            }
            return line
        }
    }
}
