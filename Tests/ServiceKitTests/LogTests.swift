import Testing

@testable import ServiceKit

@Suite struct LogTests {
    @Test func `an event is one line, whatever its values hold`() {
        let lines = Guarded<[String]>([])
        let log = Log(level: .info) { line in lines.withLock { $0.append(line) } }
        log.warning("parked", ["trade": "a b", "reason": "line\nbreak \"quoted\" \u{1b}[2J", "class": "invalid"])
        log.debug("not written")
        let written = lines.withLock { $0 }
        #expect(written.count == 1)
        #expect(
            written[0].hasSuffix(
                #" level=warning event=parked trade="a b" reason="line\nbreak \"quoted\" \u{1b}[2J" class=invalid"#
                    + "\n"))
        #expect(written[0].filter(\.isNewline).count == 1)
    }

    @Test(arguments: [("", "\"\""), ("plain", "plain"), ("a=b", "\"a=b\""), ("ü", "\"ü\""), ("\\", "\\")])
    func `a plain word stands bare`(value: String, written: String) {
        #expect(Log.quoted(value) == written)
    }

    @Test func `nothing in a value changes how a terminal shows its neighbours`() {
        #expect(
            Log.quoted("a\u{202e}b\u{2066}c\u{2028}d\u{2029}e\u{9b}f\u{feff}g")
                == #""a\u{202e}b\u{2066}c\u{2028}d\u{2029}e\u{9b}f\u{feff}g""#)
        #expect(Log.quoted("\u{1f468}\u{200d}\u{1f467} ü") == "\"\u{1f468}\u{200d}\u{1f467} ü\"")
    }

    @Test func `a change of the level reaches everybody who holds the log`() {
        let lines = Guarded<[String]>([])
        let log = Log(level: .warning) { line in lines.withLock { $0.append(line) } }
        let copy = log
        copy.info("unheard")
        log.level = .debug
        copy.debug("heard")
        #expect(copy.level == .debug && copy.writes(.debug))
        log.level = .error
        copy.warning("unheard")
        #expect(lines.withLock { $0.map { $0.contains("event=heard") } } == [true])
    }
}
