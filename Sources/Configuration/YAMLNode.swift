/// A piece of a YAML text with everything below it, and where it stands.
struct YAMLNode {
    enum Content {
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    var content: Content
    var line: Int
    var column: Int

    /// Reads a text of one document; nil if there is nothing in it but comments.
    static func read(_ bytes: [UInt8], bytesMax: Int, depthMax: Int) throws(YAMLError) -> YAMLNode? {
        guard bytes.count <= bytesMax else {
            throw YAMLError(line: 1, column: 1, reason: "it is larger than \(bytesMax) bytes")
        }
        var reader = YAMLReader(events: try YAMLEvents(bytes), depthMax: depthMax)
        return try reader.document()
    }

    /// The text of a scalar; nil for lists, groups, and for what YAML calls null.
    var text: String? {
        guard case .scalar(let text, let isPlain) = content else { return nil }
        return isPlain && ["", "~", "null", "Null", "NULL"].contains(text) ? nil : text
    }

    /// Whether it stands for no value at all.
    var isNull: Bool {
        if case .scalar = content { text == nil } else { false }
    }
}

/// Makes a tree of the pieces of a text.
private struct YAMLReader: ~Copyable {
    private var events: YAMLEvents
    private let depthMax: Int

    init(events: consuming YAMLEvents, depthMax: Int) {
        self.events = events
        self.depthMax = depthMax
    }

    mutating func document() throws(YAMLError) -> YAMLNode? {
        var root: YAMLNode?
        while true {
            let (event, line, column) = try events.next()
            switch event {
            case .streamStart, .documentEnd: continue
            case .streamEnd: return root
            case .documentStart:
                guard root == nil else {
                    throw YAMLError(line: line, column: column, reason: "a second document ('---') is not read here")
                }
            default: root = try node(event, line, column, depth: 1)
            }
        }
    }

    private mutating func node(
        _ event: YAMLEvent, _ line: Int, _ column: Int, depth: Int
    ) throws(YAMLError) -> YAMLNode {
        guard depth <= depthMax else {
            throw YAMLError(line: line, column: column, reason: "it is nested deeper than \(depthMax) levels")
        }
        var content: YAMLNode.Content
        switch event {
        case .scalar(let text, let isPlain):
            content = .scalar(text, isPlain: isPlain)
        case .sequenceStart:
            var elements: [YAMLNode] = []
            do throws(YAMLError) {
                while let element = try child(depth: depth) { elements.append(element) }
            } catch { throw error.isUnfinished ? .unclosedList(line: line, column: column) : error }
            content = .sequence(elements)
        default:
            var pairs: [(key: YAMLNode, value: YAMLNode)] = []
            do throws(YAMLError) {
                while let key = try child(depth: depth), let value = try child(depth: depth) {
                    pairs.append((key, value))
                }
            } catch { throw error.isUnfinished ? .unclosedGroup(line: line, column: column) : error }
            content = .mapping(pairs)
        }
        return YAMLNode(content: content, line: line, column: column)
    }

    /// The next node within a list or mapping; nil at its end.
    private mutating func child(depth: Int) throws(YAMLError) -> YAMLNode? {
        let (event, line, column) = try events.next()
        if event == .sequenceEnd || event == .mappingEnd { return nil }
        return try node(event, line, column, depth: depth + 1)
    }
}
