/// What a terminal shows: it understands the control sequences that programs here may send, and no others.
///
/// Text, CR, LF, BS and TAB; of ECMA-48 the cursor's position (CUP), erasing (EL, ED) and styles (SGR); of xterm's
/// modes wrapping (7), the cursor (25), the alternate screen (1049) and synchronized output (2026). Anything else is
/// remembered in ``unknown``, so that a test can refuse it.
public struct TerminalScreenEmulator: Sendable {
    public struct Cell: Hashable, Sendable {
        public var character: Character = " "
        /// SGR's numbers, such as 1 for bold and 31 for red.
        public var styles: Set<Int> = []
    }

    private struct Page: Sendable {
        var cells: [[Cell]]
        var row = 0
        var column = 0

        init(_ columns: Int, _ rows: Int) {
            cells = Array(repeating: Array(repeating: Cell(), count: columns), count: rows)
        }
    }

    private enum Mode { case text, escape, control(String) }

    public private(set) var columns: Int
    public private(set) var rows: Int
    public private(set) var isAlternate = false
    public private(set) var isCursorVisible = true
    public private(set) var wrapsLines = true
    /// How often the whole screen was erased.
    public private(set) var clearCount = 0
    /// How many frames came as one, by synchronized output.
    public private(set) var frameCount = 0
    /// Lines that left the normal screen at its top, the oldest first.
    public private(set) var scrolledOff: [String] = []
    public private(set) var unknown: [String] = []

    private var page: Page
    private var normalPage: Page?
    private var mode = Mode.text
    private var styles: Set<Int> = []
    private var isWrapPending = false
    private var isSynchronized = false
    /// What a reader sees while a frame is under way.
    private var heldLines: [String] = []
    private var partialCharacter: [UInt8] = []

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        page = Page(columns, rows)
    }

    /// The rows without blanks at their ends; within a synchronized frame, those of the frame before.
    public var lines: [String] { isSynchronized ? heldLines : currentLines }

    public var text: String { lines.joined(separator: "\n") }

    private var currentLines: [String] { page.cells.map(Self.text) }

    /// What the normal screen has shown, from the beginning.
    public var transcript: [String] { scrolledOff + (normalPage ?? page).cells.map(Self.text) }

    public func cell(row: Int, column: Int) -> Cell { page.cells[row][column] }

    private static func text(_ cells: [Cell]) -> String {
        var characters = cells.map(\.character)
        while characters.last == " " { characters.removeLast() }
        return String(characters)
    }

    /// A window of another size; what does not fit is cut off, as xterm does.
    public mutating func resize(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        page = Self.resized(page, columns, rows)
        normalPage = normalPage.map { Self.resized($0, columns, rows) }
        isWrapPending = false
    }

    private static func resized(_ page: Page, _ columns: Int, _ rows: Int) -> Page {
        var new = Page(columns, rows)
        // The cursor's line stays on the screen.
        let first = max(0, page.row - rows + 1)
        for row in 0..<min(rows, page.cells.count - first) {
            for column in 0..<min(columns, page.cells[row].count) {
                new.cells[row][column] = page.cells[first + row][column]
            }
        }
        new.row = page.row - first
        new.column = min(page.column, columns - 1)
        return new
    }

    // MARK: - What arrives

    public mutating func feed(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { take(byte) }
    }

    private mutating func take(_ byte: UInt8) {
        switch mode {
        case .escape:
            mode = byte == UInt8(ascii: "[") ? .control("") : .text
            if case .text = mode { unknown.append("ESC \(UnicodeScalar(byte))") }
        case .control(let parameters):
            if (0x40...0x7E).contains(byte) {
                mode = .text
                control(parameters, UnicodeScalar(byte))
            } else {
                mode = .control(parameters + String(UnicodeScalar(byte)))
            }
        case .text where byte == 0x1B: mode = .escape
        case .text where byte < 0x20 || byte == 0x7F: controlCharacter(byte)
        case .text: printable(byte)
        }
    }

    private mutating func controlCharacter(_ byte: UInt8) {
        isWrapPending = false
        switch byte {
        case 0x08: page.column = max(0, page.column - 1)
        case 0x09: page.column = min(columns - 1, (page.column / 8 + 1) * 8)
        case 0x0A: lineFeed()
        case 0x0D: page.column = 0
        default: unknown.append("control character \(byte)")
        }
    }

    private mutating func printable(_ byte: UInt8) {
        partialCharacter.append(byte)
        let first = partialCharacter[0]
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard partialCharacter.count == length else { return }
        let character = String(decoding: partialCharacter, as: UTF8.self)
        partialCharacter = []
        if isWrapPending {
            page.column = 0
            lineFeed()
            isWrapPending = false
        }
        page.cells[page.row][page.column] = Cell(character: Character(character), styles: styles)
        if page.column < columns - 1 { page.column += 1 } else { isWrapPending = wrapsLines }
    }

    private mutating func lineFeed() {
        guard page.row == rows - 1 else {
            page.row += 1
            return
        }
        let first = page.cells.removeFirst()
        if !isAlternate { scrolledOff.append(Self.text(first)) }
        page.cells.append(Array(repeating: Cell(), count: columns))
    }

    private mutating func control(_ parameters: String, _ final: UnicodeScalar) {
        let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch (final, parameters.first) {
        case ("H", _) where numbers.count <= 2:
            page.row = min(rows, max(1, numbers.first ?? 1)) - 1
            page.column = min(columns, max(1, numbers.count > 1 ? numbers[1] : 1)) - 1
            isWrapPending = false
        case ("K", nil):
            for column in page.column..<columns { page.cells[page.row][column] = Cell() }
        case ("J", "2"):
            clearCount += 1
            page.cells = Page(columns, rows).cells
        case ("m", let first) where first?.isNumber != false:
            for number in numbers.isEmpty ? [0] : numbers { select(number) }
        case ("h", "?"), ("l", "?"): setMode(String(parameters.dropFirst()), final == "h")
        default: unknown.append("CSI \(parameters)\(final)")
        }
    }

    private mutating func select(_ number: Int) {
        switch number {
        case 0: styles = []
        case 1, 2, 30...37: styles.insert(number)
        default: unknown.append("SGR \(number)")
        }
    }

    private mutating func setMode(_ mode: String, _ isOn: Bool) {
        switch mode {
        case "7": wrapsLines = isOn
        case "25": isCursorVisible = isOn
        case "1049" where isOn != isAlternate:
            isAlternate = isOn
            if isOn {
                normalPage = page
                page = Page(columns, rows)
            } else {
                page = normalPage ?? page
                normalPage = nil
            }
        case "1049": break
        case "2026":
            if isOn { heldLines = currentLines } else if isSynchronized { frameCount += 1 }
            isSynchronized = isOn
        default: unknown.append("mode \(mode)")
        }
    }
}
