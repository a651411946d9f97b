import Testing

@testable import CommandKit

@Suite("Output")
struct OutputTests {
    @Test("a list is a table, a JSON array, or a value a line; the hint to more goes to stderr")
    func formats() async {
        let text = await depot("parcel", "list", "--limit", "1k")
        #expect(text.out == "NAME              N\nevil\\u{1B}[2J  1000\ngood           1000\n")
        #expect(text.err == "more: --after p-2\n")
        #expect(
            await depot("parcel", "list", "--kind", "late", "--json").out
                == "[\n  {\n    \"name\": \"late\"\n  }\n]\n")
        #expect(
            await depot("parcel", "list", "-o", "jsonl").out
                == "{\"name\":\"evil\\u001b[2J\"}\n{\"name\":\"good\"}\n")
    }

    @Test("a list of nothing is a remark, an empty array, or nothing")
    func nothing() throws {
        for (format, out, err) in [("text", "", "None.\n"), ("json", "[]\n", ""), ("jsonl", "", "")] {
            let (output, written) = try makeOutput(["-o", format])
            try output.list([], empty: "None.") { Table("A") }
            try output.flush()
            #expect(written.text(.output) == out)
            #expect(written.text(.error) == err)
        }
    }

    @Test("a cursor that a shell would break is quoted")
    func cursor() throws {
        let (output, written) = try makeOutput([])
        output.more(after: "a b'c")
        #expect(written.text(.error) == "more: --after 'a b'\\''c'\n")
    }

    @Test(
        "colour is for terminals, unless it was asked for or asked away",
        arguments: [
            ("auto", true, [:], true), ("auto", false, [:], false), ("auto", true, ["NO_COLOR": "1"], false),
            ("auto", true, ["NO_COLOR": ""], true), ("auto", true, ["TERM": "dumb"], false),
            ("always", false, ["NO_COLOR": "1"], true), ("never", true, [:], false),
        ])
    func colors(choice: String, isTerminal: Bool, environment: [String: String], expected: Bool) throws {
        let (output, _) = try makeOutput(["--color", choice], isTerminal: isTerminal, environment: environment)
        #expect(output.styled("x", .red) == (expected ? "\u{1B}[31mx\u{1B}[0m" : "x"))
    }

    @Test("records are written in bulk, a line at once, and a remark comes after what was written before it")
    func buffering() throws {
        let (output, written) = try makeOutput([])
        try output.record(["n": 1])
        #expect(written.text(.output) == "")
        try output.line("now")
        #expect(written.text(.output) == "{\"n\":1}\nnow\n")
        try output.record(["n": 2])
        output.note("a remark")
        #expect(written.text(.output).hasSuffix("{\"n\":2}\n"))
        for _ in 0..<10_000 { try output.record(["n": 3]) }
        #expect(written.text(.output).utf8.count > 32_768)
    }

    @Test("progress says how much, how fast and how long still")
    func progress() {
        var meter = ProgressMeter(total: 10_000)
        #expect(meter.line(done: 0, after: .zero) == "0 of 10,000")
        #expect(meter.line(done: 10, after: .milliseconds(50)) == nil)
        #expect(meter.line(done: 1_000, after: .seconds(2)) == "1,000 of 10,000 · 500/s · 18s left")
        #expect(meter.line(done: 10_000, after: .seconds(20)) == "10,000 of 10,000 · 500/s")
        var endless = ProgressMeter(total: nil)
        #expect(endless.line(done: 1_000, after: .seconds(2)) == "1,000 · 500/s")
        var enormous = ProgressMeter(total: .max)
        #expect(enormous.line(done: .max / 2, after: .seconds(1_000_000))?.hasSuffix(" left") == true)
    }

    @Test("a progress line is drawn on a terminal only, and gives way to what is written", arguments: [true, false])
    func progressLine(isTerminal: Bool) throws {
        let (output, written) = try makeOutput([], isTerminal: isTerminal)
        let progress = ProgressLine(output, total: 2, elapsed: { .seconds(1) })
        progress.update(1)
        output.note("a remark")
        progress.finish()
        let drawn = "\r\u{1B}[K1 of 2 · 1/s · 1s left\r\u{1B}[K"
        #expect(written.text(.error) == (isTerminal ? drawn : "") + "a remark\n")
    }

    private func makeOutput(
        _ words: [String], isTerminal: Bool = false, environment: [String: String] = [:]
    ) throws -> (Output, Written) {
        let written = Written()
        var terminal = Terminal(environment: environment) { stream, text in written.add(text, to: stream) }
        terminal.outputIsTerminal = isTerminal
        terminal.errorIsTerminal = isTerminal
        let options = OutputOptions()
        try Parser(command: "", slots: Declarations(of: options).slots).take(words)
        return (Output(terminal, options), written)
    }
}

@Suite("Tables")
struct TableTests {
    @Test("numbers stand to the right, and no line ends in blanks")
    func alignment() {
        var table = Table("ASSET", Table.Column("AMOUNT", .right), "NOTE")
        table.add("BTC", "1.50000000", "")
        table.add("USDT", "250.00", "x")
        #expect(
            lines(table) == ["ASSET      AMOUNT  NOTE", "BTC    1.50000000", "USDT       250.00  x"])
    }

    @Test("wide, combining and joined characters take the columns that they show")
    func width() {
        #expect("日本".columns == 4)
        #expect("e\u{301}".columns == 1)
        #expect("👩‍👩‍👧".columns == 2)
        #expect("한".columns == 2)
        #expect("❤️".columns == 2)
        #expect("½ä€".columns == 3)
        var table = Table("A", "B")
        table.add("日本", "x")
        table.add("ab", "y")
        #expect(lines(table) == ["A     B", "日本  x", "ab    y"])
        #expect("日本語".truncated(toColumns: 4) == "日…")
    }

    @Test("on a terminal text is cut to fit and numbers never are; in a pipe nothing is")
    func cutting() {
        var table = Table("ID", Table.Column("AMOUNT", .right), "REASON")
        let reason = String(repeating: "why ", count: 20) + "not"
        table.add("t-1", "123456789012345678901234567890.00", Table.Cell(reason))
        let cut = lines(table, width: 60)
        #expect(cut.allSatisfy { $0.columns <= 60 })
        #expect(cut[1].contains("123456789012345678901234567890.00  why why why"))
        #expect(cut[1].hasSuffix("…"))
        #expect(lines(table)[1].hasSuffix(reason))
        #expect(lines(table, width: 10)[1].contains("123456789012345678901234567890.00"))
        var times = Table(Table.Column("AT", isCut: false), "REASON")
        times.add("2026-01-02T03:04:05Z", Table.Cell(reason))
        #expect(lines(times, width: 30)[1] == "2026-01-02T03:04:05Z  why why…")
    }

    @Test(
        "what data could do to a terminal is shown instead",
        arguments: [
            ("\u{1B}[2J\u{1B}]0;owned\u{07}", "\\u{1B}[2J\\u{1B}]0;owned\\u{7}"), ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9B}31m", "\\u{9B}31m"), ("\u{7F}\u{08}", "\\u{7F}\\u{8}"),
            ("\u{202E}abc\u{2066}", "\\u{202E}abc\\u{2066}"),
            ("\u{2028}\u{FEFF}\u{200B}", "\\u{2028}\\u{FEFF}\\u{200B}"), ("日本 é 👩‍👧", "日本 é 👩‍👧"),
        ])
    func hostile(text: String, shown: String) {
        #expect(text.printable == shown)
        var table = Table("ID")
        table.add(Table.Cell(text))
        #expect(lines(table)[1] == shown)
    }

    @Test("a style does not count as width")
    func styles() {
        var table = Table("STATE", "N")
        table.add(Table.Cell("parked", .red), "1")
        let styled = table.lines(width: 20) { text, style in "<\(style)>\(text)</>" }
        #expect(styled == ["<bold>STATE</>   <bold>N</>", "<red>parked</>  1"])
    }

    private func lines(_ table: Table, width: Int? = nil) -> [String] {
        table.lines(width: width) { text, _ in text }
    }
}

@Suite("JSON")
struct JSONValueTests {
    private let value: JSONValue = [
        "b": 1, "a": [true, nil, "x"], "empty": [], "none": [:], "amount": "1.10", "below": -9_223_372_036_854_775_808,
    ]

    @Test("keys stay in their order, in one line or in many")
    func layout() {
        #expect(
            value.line
                == #"{"b":1,"a":[true,null,"x"],"empty":[],"none":{},"amount":"1.10","below":-9223372036854775808}"#)
        #expect(
            value.pretty == """
                {
                  "b": 1,
                  "a": [
                    true,
                    null,
                    "x"
                  ],
                  "empty": [],
                  "none": {},
                  "amount": "1.10",
                  "below": -9223372036854775808
                }
                """)
    }

    @Test(
        "strings are escaped, and harmless on a terminal",
        arguments: [
            ("\"\\/", #""\"\\/""#), ("\n\r\t\u{00}\u{1B}", #""\n\r\t\u0000\u001b""#),
            ("\u{7F}\u{9B}", #""\u007f\u009b""#),
            ("\u{2028}\u{202E}", #""\u2028\u202e""#), ("\u{E0001}", #""\udb40\udc01""#), ("日本 👩‍👧 é", "\"日本 👩‍👧 é\""),
            ("\r\n", #""\r\n""#),
        ])
    func escapes(text: String, written: String) {
        #expect(JSONValue.string(text).line == written)
    }
}
