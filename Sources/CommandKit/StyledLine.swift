/// A line of a screen: texts in styles, made harmless whatever they hold.
public struct StyledLine: Hashable, Sendable, ExpressibleByStringLiteral {
    public struct Span: Hashable, Sendable {
        public var text: String
        public var style: Style?
    }

    public private(set) var spans: [Span] = []

    public init() {}

    public init(_ text: String, _ style: Style? = nil) { add(text, style) }

    public init(stringLiteral text: String) { self.init(text) }

    public var columns: Int { spans.reduce(0) { $0 + $1.text.columns } }

    /// The line without its styles.
    public var text: String { spans.map(\.text).joined() }

    public mutating func add(_ text: String, _ style: Style? = nil) {
        guard !text.isEmpty else { return }
        spans.append(Span(text: text.printable, style: style))
    }

    /// A text that takes so many columns at least, standing at the right end of them.
    public mutating func add(_ text: String, _ style: Style? = nil, rightIn width: Int) {
        add(String(repeating: " ", count: max(0, width - text.printable.columns)))
        add(text, style)
    }

    public mutating func add(_ other: StyledLine) { spans += other.spans }

    /// Fills up with blanks.
    public mutating func pad(toColumns width: Int) {
        add(String(repeating: " ", count: max(0, width - columns)))
    }

    /// The line cut to so many columns; the mark stands at its end if anything was cut.
    public func fitted(toColumns width: Int, mark: String = "…") -> StyledLine {
        guard columns > width else { return self }
        guard width > mark.columns else { return StyledLine() }
        var result = StyledLine()
        var room = width - mark.columns
        for span in spans {
            var text = ""
            for character in span.text {
                guard character.columns <= room else {
                    room = 0
                    break
                }
                room -= character.columns
                text.append(character)
            }
            result.add(text, span.style)
            if room == 0 { break }
        }
        result.add(mark)
        return result
    }

    /// The line with a question mark for everything that is not ASCII, for terminals that know no more.
    public var inASCII: StyledLine {
        guard spans.contains(where: { $0.text.utf8.contains { $0 >= 0x80 } }) else { return self }
        var result = self
        for index in spans.indices {
            result.spans[index].text = String(spans[index].text.map { $0.isASCII ? $0 : "?" })
        }
        return result
    }

    /// What a terminal is sent.
    func rendered(colors: Bool) -> String {
        spans.map { span in
            guard colors, let style = span.style else { return span.text }
            return "\u{1B}[\(style.rawValue)m\(span.text)\u{1B}[0m"
        }.joined()
    }
}
