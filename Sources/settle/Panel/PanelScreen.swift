import CommandKit
import SettlementWorkers

/// The panel as lines for a size: from 80 columns and 20 rows on with everything, below that in short.
struct PanelScreen {
    let state: PanelState
    let glyphs: PanelGlyphs
    let size: ScreenSize

    var columns: Int { size.columns }
    private var isFull: Bool { columns >= 78 && size.rows >= 20 }
    private var isRoomy: Bool { size.rows >= 28 }
    static let labelColumns = 10

    init(_ state: PanelState, _ glyphs: PanelGlyphs, _ size: ScreenSize) {
        self.state = state
        self.glyphs = glyphs
        self.size = size
    }

    /// As many lines as the screen has rows.
    var lines: [StyledLine] {
        var lines = [title]
        if state.isHelpShown {
            lines += help
        } else if isFull {
            lines += (isRoomy ? [""] : []) + figures + [""]
            lines += fullBody(rows: size.rows - lines.count - 1)
        } else {
            lines += figures + [shortWorkers, shortLetters, shortBooks]
            lines += eventLines(count: size.rows - lines.count - 1)
        }
        lines = Array(lines.prefix(size.rows - 1))
        lines += Array(repeating: "", count: max(0, size.rows - 1 - lines.count)) + [keys]
        return lines.map { (glyphs.isASCII ? $0.inASCII : $0).fitted(toColumns: columns, mark: glyphs.ellipsis) }
    }

    /// Workers, letters beside books, and events in what is left.
    private func fullBody(rows: Int) -> [StyledLine] {
        let eventsMin = 3
        let gap: [StyledLine] = isRoomy ? [""] : []
        // Without three headings and what stands between.
        let room = rows - 4 - gap.count
        let workersWanted = workerRows
        let lettersWanted = max(3, min(8, state.letters?.counts.count ?? 0))
        let lettersCount = min(lettersWanted, max(3, room - eventsMin - workersWanted))
        let workersCount = max(1, min(workersWanted, room - eventsMin - lettersCount))
        return workers(rows: workersCount) + [""] + beside(letters(rows: lettersCount), books) + gap
            + [heading("events", "UTC")] + eventLines(count: room - workersCount - lettersCount)
    }

    func heading(_ text: String, _ remark: String = "") -> StyledLine {
        var line = StyledLine(" ")
        line.add(text.uppercased(), .dim)
        if !remark.isEmpty { line.add("  " + remark, .dim) }
        return line
    }

    func label(_ text: String) -> StyledLine {
        var line = StyledLine(" ")
        line.add(text, .dim)
        line.pad(toColumns: Self.labelColumns)
        return line
    }

    /// Two blocks next to each other; the second begins where the second column of workers does.
    private func beside(_ left: [StyledLine], _ right: [StyledLine]) -> [StyledLine] {
        (0..<max(left.count, right.count)).map { row in
            var line =
                row < left.count ? left[row].fitted(toColumns: Self.workerColumns + 1, mark: glyphs.ellipsis) : ""
            if row < right.count {
                line.pad(toColumns: Self.workerColumns + 3)
                line.add(right[row])
            }
            return line
        }
    }

    // MARK: - The first lines and the last

    private var title: StyledLine {
        var line = StyledLine(" ")
        line.add("settle up", .bold)
        line.add("  ")
        let (phase, style) = phaseText
        line.add(phase, style)
        // As wide as the longest, so that nothing moves.
        line.pad(toColumns: max(21, line.columns + 1))
        line.add(state.uptime.clockText, .dim)
        let right = "seed \(state.seed) \(glyphs.dot) \(state.database) "
        let room = columns - line.columns - 2
        let remark = StyledLine(right, .dim).fitted(toColumns: max(0, room), mark: glyphs.ellipsis)
        line.pad(toColumns: columns - remark.columns)
        line.add(remark)
        return line
    }

    private var phaseText: (String, Style?) {
        switch state.phase {
        case _ where !state.breakerIsClosed: ("database away", .red)
        case .running: ("running", nil)
        case .paused: ("paused", .yellow)
        case .stopping: ("stopping", .yellow)
        }
    }

    private var keys: StyledLine {
        let all = [
            ("p", state.phase == .paused ? "resume" : "pause "), ("x", "poison"),
            ("k", columns < 50 ? "kill" : "kill a worker"),
            ("q", "stop"), ("?", columns < 50 ? "" : "help"),
        ]
        var line = StyledLine(" ")
        for (key, meaning) in all {
            line.add(key, .bold)
            line.add((meaning.isEmpty ? "" : " ") + meaning + (columns < 50 ? " " : "   "), .dim)
        }
        return line
    }

    private var help: [StyledLine] {
        let texts: [(String, String)] = [
            ("p", "pause or resume the database's queue, as 'settle queue pause' does"),
            ("x", "poison: sends bad trades of five kinds; each is parked with its reason"),
            ("k", "kill: ends the PostgreSQL connection of the next worker at work"),
            ("0-9", "kill that worker's connection when it is next at work (0 is 10)"),
            ("q", "stop: settles what is queued, verifies the books; Ctrl-C too"),
            ("^C^C", "stop at once: what is being written is rolled back"), ("^Z", "suspend"),
            ("", ""),
            ("", "Engine: its trades, and the orders it is given; open ones wait there."),
            ("", "Lag: records of the engine that are not settled yet."),
            ("", "Changes: trades, and what orders hold and release."),
            ("", "settling N: a transaction with N of them is under way"),
            ("", "holding N: has N of them, waits for a free connection"),
            ("", "The rates and the times are those of the last second."),
            ("", "Sums to 0: of each asset, over all accounts and the outside world."),
            ("", "Database counts the same: as many settled trades as were counted here."),
            ("", ""),
            ("", "Beside it: settle book BTC/USDT --engine \(state.orders)"),
        ]
        return [""]
            + texts.map { key, meaning in
                var line = StyledLine("  ")
                line.add(key, .bold)
                line.pad(toColumns: 8)
                line.add(meaning)
                return line
            }
    }
}

extension Duration {
    /// As a clock would count: `0:42`, `12:05`, `3:07:09`.
    var clockText: String {
        let seconds = components.seconds
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours):\(two(minutes))" : "\(minutes)") + ":" + two(seconds % 60)
    }
}
