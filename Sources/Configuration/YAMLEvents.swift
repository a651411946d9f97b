import CYaml

/// Why a text is no YAML that is read here, and where.
struct YAMLError: Error, Equatable {
    var line: Int
    var column: Int
    var reason: String
    /// Whether an element of a list or group in brackets is missing, which its beginning tells better.
    var isUnfinished = false
}

extension YAMLError {
    static func unclosedList(line: Int, column: Int) -> YAMLError {
        YAMLError(
            line: line, column: column, reason: "a list begins here that does not go on or end: expected ',' or ']'")
    }

    static func unclosedGroup(line: Int, column: Int) -> YAMLError {
        YAMLError(
            line: line, column: column, reason: "a group begins here that does not go on or end: expected ',' or '}'")
    }
}

/// What a YAML text consists of, one piece after the other.
enum YAMLEvent: Equatable {
    case streamStart, streamEnd
    case documentStart, documentEnd
    case scalar(String, isPlain: Bool)
    case sequenceStart, sequenceEnd
    case mappingStart, mappingEnd
}

/// Reads a YAML text piece by piece with libyaml. Anchors, aliases and tags are refused: a text means what it says.
struct YAMLEvents: ~Copyable {
    /// On the heap, since libyaml keeps pointers into the parser and into the text.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8]) throws(YAMLError) {
        try Self.checkEncoding(bytes)
        parser = .allocate(capacity: 1)
        text = .allocate(capacity: bytes.count)
        _ = text.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else { fatalError("out of memory") }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    mutating func next() throws(YAMLError) -> (event: YAMLEvent, line: Int, column: Int) {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        let column = Int(event.start_mark.column) + 1
        func refuse(_ what: String, _ pointer: UnsafeMutablePointer<yaml_char_t>?) throws(YAMLError) {
            guard pointer != nil else { return }
            throw YAMLError(line: line, column: column, reason: "\(what) are not read here; write the value itself")
        }
        let piece: YAMLEvent
        switch event.type {
        case YAML_STREAM_START_EVENT: piece = .streamStart
        case YAML_STREAM_END_EVENT: piece = .streamEnd
        case YAML_DOCUMENT_START_EVENT: piece = .documentStart
        case YAML_DOCUMENT_END_EVENT: piece = .documentEnd
        case YAML_SEQUENCE_START_EVENT:
            try refuse("anchors (&)", event.data.sequence_start.anchor)
            try refuse("tags (!)", event.data.sequence_start.tag)
            piece = .sequenceStart
        case YAML_SEQUENCE_END_EVENT: piece = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            try refuse("anchors (&)", event.data.mapping_start.anchor)
            try refuse("tags (!)", event.data.mapping_start.tag)
            piece = .mappingStart
        case YAML_MAPPING_END_EVENT: piece = .mappingEnd
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse("anchors (&)", scalar.anchor)
            try refuse("tags (!)", scalar.tag)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            piece = .scalar(
                String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_ALIAS_EVENT:
            throw YAMLError(
                line: line, column: column, reason: "aliases (*) are not read here; write the value itself")
        default:
            throw YAMLError(line: line, column: column, reason: "libyaml ended early")
        }
        return (piece, line, column)
    }

    private func failure() -> YAMLError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
        if parser.pointee.error == YAML_READER_ERROR {
            let before = text.prefix(parser.pointee.problem_offset)
            let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
            return YAMLError(line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: column, reason: problem)
        }
        if let opening = unclosed(problem) { return opening }
        let mark = parser.pointee.problem_mark
        let isTab = mark.index < text.count && text[mark.index] == UInt8(ascii: "\t")
        let context = parser.pointee.context.map { " " + String(cString: $0) } ?? ""
        return YAMLError(
            line: Int(mark.line) + 1, column: Int(mark.column) + 1,
            reason: isTab ? "lines are indented with spaces, not with tabs" : "\(problem)\(context)")
    }

    /// What was begun and not ended is told by its beginning: libyaml gets stuck somewhere behind it.
    private func unclosed(_ problem: String) -> YAMLError? {
        let line = Int(parser.pointee.context_mark.line) + 1
        let column = Int(parser.pointee.context_mark.column) + 1
        switch (parser.pointee.context.map { String(cString: $0) }, problem) {
        case ("while parsing a flow sequence"?, _): return .unclosedList(line: line, column: column)
        case ("while parsing a flow mapping"?, _): return .unclosedGroup(line: line, column: column)
        case ("while parsing a flow node"?, _):
            return YAMLError(line: line, column: column, reason: "expected an element", isUnfinished: true)
        case ("while scanning a quoted scalar"?, "found unexpected end of stream"):
            return YAMLError(line: line, column: column, reason: "a text begins here whose closing quote is missing")
        default: return nil
        }
    }

    /// libyaml would read on in what it takes for UTF-16.
    private static func checkEncoding(_ bytes: [UInt8]) throws(YAMLError) {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var (line, column) = (1, 1)
        while true {
            switch decoder.decode(&iterator) {
            case .emptyInput: return
            case .error: throw YAMLError(line: line, column: column, reason: "this is not UTF-8")
            case .scalarValue("\n"): (line, column) = (line + 1, 1)
            case .scalarValue: column += 1
            }
        }
    }
}
