/// How much a terminal shows.
public struct ScreenSize: Hashable, Sendable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// What a screen shows, and the control sequences that turn it into the next frame: only lines that changed are sent,
/// and the terminal shows the whole frame at once where it knows how to.
struct ScreenPainter {
    let colors: Bool
    private var shown: [StyledLine] = []
    private var size: ScreenSize?

    init(colors: Bool) { self.colors = colors }

    /// The next frame is drawn in whole, whatever the screen shows now.
    mutating func forget() { size = nil }

    mutating func paint(_ lines: [StyledLine], size: ScreenSize) -> String {
        let isNew = size != self.size
        var text = isNew ? "\u{1B}[2J" : ""
        var frame: [StyledLine] = []
        for row in 0..<size.rows {
            let line = row < lines.count ? lines[row].fitted(toColumns: size.columns) : StyledLine()
            frame.append(line)
            if isNew ? line.columns == 0 : row < shown.count && shown[row] == line { continue }
            text += "\u{1B}[\(row + 1);1H" + line.rendered(colors: colors)
            // In the last column the cursor stands on what was written there, and erasing would take that.
            if line.columns < size.columns { text += "\u{1B}[K" }
        }
        self.size = size
        shown = frame
        return text.isEmpty ? "" : "\u{1B}[?2026h\(text)\u{1B}[?2026l"
    }
}
