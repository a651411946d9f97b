/// Rows under headings, aligned.
public struct Table: Sendable {
    /// A column.
    public struct Column: Sendable, ExpressibleByStringLiteral {
        public enum Alignment: Sendable {
            case left, right
        }

        public var heading: String
        public var alignment: Alignment
        /// Whether its texts give way where the table is too wide for the terminal.
        public var isCut: Bool

        /// - Parameter isCut: nil for what is usual: texts give way, and what stands to the right (numbers) never does,
        ///   since half an amount is another amount.
        public init(_ heading: String, _ alignment: Alignment = .left, isCut: Bool? = nil) {
            self.heading = heading
            self.alignment = alignment
            self.isCut = isCut ?? (alignment == .left)
        }

        public init(stringLiteral heading: String) { self.init(heading) }
    }

    /// A text in a column, made harmless whatever it holds.
    public struct Cell: Sendable, ExpressibleByStringInterpolation {
        public var text: String
        public var style: Style?

        public init(_ text: String, _ style: Style? = nil) {
            self.text = text.printable
            self.style = style
        }

        public init(stringLiteral text: String) { self.init(text) }
    }

    public var columns: [Column]
    public private(set) var rows: [[Cell]] = []

    public init(_ columns: Column...) { self.columns = columns }

    public mutating func add(_ cells: Cell...) { add(cells) }

    public mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// The table's lines; with a width, cut to fit it.
    func lines(width: Int?, style: (String, Style) -> String) -> [String] {
        let widths = fittedWidths(width)
        let headings = columns.map { Cell($0.heading, .bold) }
        return ([headings] + rows).map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let text = cell.text.truncated(toColumns: widths[index])
                let space = String(repeating: " ", count: widths[index] - text.columns)
                let shown = cell.style.map { style(text, $0) } ?? text
                let isLast = index == row.count - 1
                line += columns[index].alignment == .right ? space + shown : isLast ? shown : shown + space
                if !isLast { line += Self.gap }
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static let gap = "  "
    private static let narrowest = 8

    /// As wide as the widest cell; beyond the limit, the widest columns of text give way first.
    private func fittedWidths(_ limit: Int?) -> [Int] {
        var widths = columns.indices.map { column in
            rows.reduce(columns[column].heading.columns) { max($0, $1[column].text.columns) }
        }
        guard let limit else { return widths }
        var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - limit
        while excess > 0 {
            let text = widths.indices.filter { columns[$0].isCut && widths[$0] > Self.narrowest }
            guard let widest = text.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }
}
