import TradeModel

/// A file of a segmented log, and what is known of it.
struct Segment: Sendable {
    /// Behind the record before the first one.
    let start: StreamPosition
    let path: String
    /// Where the last whole block ends.
    var end: Int64
    /// Where some blocks begin, by the first sequence in them; nil until somebody looks for a place in the middle.
    var index: [IndexEntry]?

    struct IndexEntry: Sendable {
        var sequence: Int64
        var offset: Int64
    }

    /// So far lie the entries of the index apart.
    static let indexSpacingBytes: Int64 = 65_536

    static func name(start: StreamPosition) -> String {
        let digits = String(start.sequence + 1)
        return String(repeating: "0", count: 20 - digits.count) + digits + ".log"
    }

    static func isName(_ name: String) -> Bool {
        name.utf8.count == 24 && name.hasSuffix(".log") && name.utf8.dropLast(4).allSatisfy { (48...57).contains($0) }
    }

    /// Makes the file whole, or not at all, and durable.
    static func create(inFolder folder: String, start: StreamPosition) throws(LogFailure) -> (Segment, LogFile) {
        let path = folder + "/" + name(start: start)
        let header = SegmentHeader(start: start).encode()
        let draft = try LogFile.open(path + ".new", writable: true, creating: true)
        try draft.truncate(to: 0)
        try draft.write(header, at: 0)
        try draft.sync()
        try LogFile.rename(path + ".new", to: path)
        try LogFile.syncFolder(folder)
        let file = try LogFile.open(path, writable: true)
        return (Segment(start: start, path: path, end: Int64(header.count), index: []), file)
    }

    /// Reads the header only. What the name says must be what the header says.
    static func open(_ file: LogFile) throws(LogFailure) -> Segment {
        let start: StreamPosition
        do {
            start = try SegmentHeader(try file.read(at: 0, byteCount: SegmentHeader.byteCount)[...]).start
        } catch let fault as SegmentHeader.Fault {
            throw LogFailure.damaged(file: file.path, offset: 0, reason: fault.reason)
        } catch let failure as LogFailure {
            throw failure
        } catch {
            throw LogFailure.damaged(file: file.path, offset: 0, reason: "\(error)")
        }
        guard file.path.hasSuffix("/" + name(start: start)) else {
            throw .damaged(
                file: file.path, offset: 16, reason: "it begins with record \(start.sequence + 1), unlike its name")
        }
        return Segment(start: start, path: file.path, end: try file.byteCount(), index: nil)
    }

    /// Adds to the index where a block begins, if the last such place is far enough before it.
    mutating func note(_ sequence: Int64, at offset: Int64) {
        if let last = index?.last, offset - last.offset < Self.indexSpacingBytes { return }
        index?.append(IndexEntry(sequence: sequence, offset: offset))
    }

    /// Where to begin looking for a sequence.
    func offset(for sequence: Int64) -> Int64 {
        guard let index, !index.isEmpty else { return Int64(SegmentHeader.byteCount) }
        var low = 0
        var high = index.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if index[middle].sequence <= sequence { low = middle } else { high = middle - 1 }
        }
        return index[low].offset
    }

    /// The index, from the headers of the blocks.
    static func index(of file: LogFile, to end: Int64) throws(LogFailure) -> [IndexEntry] {
        var segment = Segment(start: .start, path: file.path, end: end, index: [])
        var reader = BlockReader(file, from: Int64(SegmentHeader.byteCount), to: end)
        while let header = try reader.header() {
            if header.count > 0 { segment.note(header.start.sequence + 1, at: reader.offset) }
            reader.skip(header)
        }
        return segment.index ?? []
    }
}
