import Testing

@testable import CommandKit

@Suite struct ScreenPainterTests {
    private let size = ScreenSize(columns: 10, rows: 3)

    @Test func `the first frame erases the screen and draws what is not blank`() {
        var painter = ScreenPainter(colors: true)
        #expect(
            painter.paint(["one", "", StyledLine("three", .bold)], size: size)
                == "\u{1B}[?2026h\u{1B}[2J\u{1B}[1;1Hone\u{1B}[K\u{1B}[3;1H\u{1B}[1mthree\u{1B}[0m\u{1B}[K\u{1B}[?2026l"
        )
    }

    @Test func `later frames send only the lines that changed`() {
        var painter = ScreenPainter(colors: true)
        _ = painter.paint(["one", "two", "three"], size: size)
        #expect(painter.paint(["one", "2", "three"], size: size) == "\u{1B}[?2026h\u{1B}[2;1H2\u{1B}[K\u{1B}[?2026l")
        #expect(painter.paint(["one", "2", "three"], size: size) == "")
        #expect(painter.paint(["one"], size: size).contains("\u{1B}[2;1H\u{1B}[K\u{1B}[3;1H\u{1B}[K"))
    }

    @Test func `another size, and a screen that others have used, is drawn in whole`() {
        var painter = ScreenPainter(colors: true)
        _ = painter.paint(["one"], size: size)
        #expect(painter.paint(["one"], size: ScreenSize(columns: 11, rows: 3)).contains("\u{1B}[2J\u{1B}[1;1Hone"))
        painter.forget()
        #expect(painter.paint(["one"], size: ScreenSize(columns: 11, rows: 3)).contains("\u{1B}[2J\u{1B}[1;1Hone"))
    }

    @Test func `a line as wide as the screen keeps its last character`() {
        var painter = ScreenPainter(colors: false)
        #expect(painter.paint(["0123456789"], size: size) == "\u{1B}[?2026h\u{1B}[2J\u{1B}[1;1H0123456789\u{1B}[?2026l")
        #expect(painter.paint(["0123456789A"], size: size).contains("012345678…\u{1B}[?2026l"))
    }

    @Test func `without colours no style is sent`() {
        var painter = ScreenPainter(colors: false)
        #expect(!painter.paint([StyledLine("one", .red)], size: size).contains("m"))
    }
}

@Suite struct StyledLineTests {
    @Test func `a line is cut in columns, across its styles`() {
        var line = StyledLine("日本", .bold)
        line.add("語 text", .dim)
        #expect(line.columns == 11)
        #expect(line.fitted(toColumns: 11) == line)
        #expect(line.fitted(toColumns: 7).text == "日本語…")
        #expect(line.fitted(toColumns: 6).text == "日本…")
        #expect(line.fitted(toColumns: 8, mark: "~").spans.map(\.style) == [.bold, .dim, nil])
        #expect(line.fitted(toColumns: 1).text == "")
        #expect(line.fitted(toColumns: 0).text == "")
    }

    @Test func `numbers stand to the right`() {
        var line = StyledLine("n")
        line.add("12", .bold, rightIn: 5)
        line.pad(toColumns: 8)
        #expect(line.text == "n   12  ")
        line.add("123456", rightIn: 3)
        #expect(line.text == "n   12  123456")
    }

    @Test func `data from outside is made visible`() {
        #expect(StyledLine("a\u{1B}[31m\n").text == "a\\u{1B}[31m\\n")
    }
}

@Suite struct KeyDecoderTests {
    @Test(arguments: [
        ("q", [Key.character("q")]), ("xk", [.character("x"), .character("k")]), ("\u{1B}", [.escape]),
        ("\u{1B}[A", [.special]), ("\u{1B}[1;5Cq", [.special, .character("q")]), ("\u{1B}OP", [.special]),
        ("é?", [.character("é"), .character("?")]), ("\u{1B}x", [.special]),
    ]) func `keys are read from what a terminal sends`(_ text: String, _ keys: [Key]) {
        var decoder = KeyDecoder()
        #expect(decoder.decode(Array(text.utf8)) == keys)
    }

    @Test func `a sequence that comes in parts is one key`() {
        var decoder = KeyDecoder()
        #expect(decoder.decode(Array("\u{1B}[1".utf8)) == [])
        #expect(decoder.decode(Array(";5D".utf8)) == [.special])
        #expect(decoder.decode([0xC3]) == [])
        #expect(decoder.decode([0xA9, UInt8(ascii: "p")]) == [.character("é"), .character("p")])
    }
}
