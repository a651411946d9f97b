import Testing

@testable import Configuration

/// A tree as text, for comparison.
extension YAMLNode {
    fileprivate var outline: String {
        switch content {
        case .scalar(let text, let isPlain): isPlain ? text : "\"\(text)\""
        case .sequence(let elements): "[" + elements.map(\.outline).joined(separator: " ") + "]"
        case .mapping(let pairs):
            "{"
                + pairs.map { "\($0.key.outline)@\($0.key.line):\($0.key.column)=\($0.value.outline)" }
                .joined(separator: " ") + "}"
        }
    }
}

private func read(_ text: String) throws(YAMLError) -> YAMLNode? { try read(Array(text.utf8)) }

private func read(_ bytes: [UInt8]) throws(YAMLError) -> YAMLNode? {
    try YAMLNode.read(bytes, bytesMax: 4_096, depthMax: 8)
}

@Suite struct YAMLTests {
    @Test func `a text becomes a tree that knows its lines and columns`() throws {
        let text = """
            # a comment
            queue:
              capacity: 10   # another
              'odd name': "two\\nlines"
            list: [a, 'b']
            empty:
            block:
            - |
              one
              two
            """
        #expect(
            try read(text)?.outline == "{queue@2:1={capacity@3:3=10 \"odd name\"@4:3=\"two\nlines\"} "
                + "list@5:1=[a \"b\"] empty@6:1= block@7:1=[\"one\ntwo\"]}")
    }

    @Test(arguments: ["", "# only a comment\n", "---\n", "\u{FEFF}", "---\n...\n"])
    func `a text without content is no tree, or one of nothing`(text: String) throws {
        #expect(try read(text)?.isNull ?? true)
    }

    @Test func `what YAML calls null is no text unless it is quoted`() throws {
        for text in ["~", "null", "NULL"] { #expect(try read(text)?.isNull == true) }
        for text in ["'~'", "\"null\"", "nothing", "''"] { #expect(try read(text)?.text != nil) }
    }

    @Test(arguments: [
        ("a: &x 1", 1, 4, "anchors (&) are not read here"), ("a: 1\nb: *x", 2, 4, "aliases (*) are not read here"),
        ("a: !!int 1", 1, 4, "tags (!) are not read here"), ("a: &x [1]", 1, 4, "anchors (&)"),
        ("a: !x {b: 1}", 1, 4, "tags (!)"), ("a: 1\n---\nb: 2", 2, 1, "a second document ('---')"),
        ("a:\n\tb: 1", 2, 1, "lines are indented with spaces, not with tabs"),
        ("a: 1\n b: 2", 2, 3, "mapping values are not allowed in this context"),
        ("a: [1\nb: 2", 1, 4, "a list begins here that does not go on or end: expected ',' or ']'"),
        ("a: 1\nb: {c: 2\n\nd: 3", 2, 4, "a group begins here that does not go on or end"),
        ("a: 1\nb: [1,\n", 2, 4, "a list begins here"), ("a: \"open\n\n", 1, 4, "whose closing quote is missing"),
        ("a: 1\nb: \u{1}", 2, 4, "control characters"),
        ("a: 1\n\u{0}", 2, 1, "control characters"), ("{a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}", 1, 30, "deeper"),
    ])
    func `what cannot be read is refused with line, column and reason`(
        text: String, line: Int, column: Int, reason: String
    ) {
        let error = #expect(throws: YAMLError.self) { try read(text) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
        #expect(error.map { [$0.line, $0.column] } == [line, column], "\(text.debugDescription)")
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xFE, 0xFF, 0x00, 0x61],
        ] as [[UInt8]])
    func `what is not UTF-8 is refused where it stands`(bytes: [UInt8]) {
        let error = #expect(throws: YAMLError.self) { try read(Array("a: 1\nb: ".utf8) + bytes) }
        #expect(error == YAMLError(line: 2, column: 4, reason: "this is not UTF-8"))
    }

    @Test func `a text that is too large is refused before it is looked at`() {
        let error = #expect(throws: YAMLError.self) { try read([UInt8](repeating: 0xFF, count: 4_097)) }
        #expect(error?.reason == "it is larger than 4096 bytes")
    }

    @Test func `random bytes are read or refused, and never end the program`() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "a", "queue", "capacity", "12", ": ", ":", " ", "\n", "- ", "[", "]", "{", "}", ",", "?", "|", ">", "&x",
            "*x", "!t", "'", "\"",
            "\\",
            "\\u12", "#", "%YAML 1.1\n", "---", "...", "\t", "~", "\u{FEFF}", "\u{2028}", "é", "💶", "\u{0}", "@", "`",
        ]
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...30, using: &generator) {
                if Int.random(in: 0..<8, using: &generator) == 0 {
                    bytes.append(UInt8.random(in: .min ... .max, using: &generator))
                } else {
                    bytes += Array(pieces.randomElement(using: &generator)!.utf8)
                }
            }
            let read = ConfigurationFile(path: "settle.yaml", bytes: bytes, settings: sampleSettings)
            for entry in read.entries { #expect(sampleSettings.contains { $0.key == entry.key }) }
            do throws(YAMLError) {
                _ = try ConfigurationTests.read(bytes)
            } catch {
                let lines = bytes.count { $0 == 0x0A || $0 == 0x0D || $0 == 0xA8 } + 2
                #expect(error.line >= 1 && error.line <= lines && error.column >= 1, "\(bytes): \(error)")
            }
        }
    }
}
