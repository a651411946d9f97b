/// Goes through the blocks of a segment, some of them read ahead.
struct BlockReader {
    let file: LogFile
    /// Where the next block begins.
    private(set) var offset: Int64
    /// Where the last block ends.
    let end: Int64
    private let windowBytes: Int
    /// What was read from the offset on.
    private var window: ArraySlice<UInt8> = []

    init(_ file: LogFile, from offset: Int64, to end: Int64, windowBytes: Int = 262_144) {
        self.file = file
        self.offset = offset
        self.end = end
        self.windowBytes = windowBytes
    }

    /// What the next block says of itself, without a look at the rest of it; nil at the end.
    mutating func header() throws(LogFailure) -> LogBlock.Header? {
        guard offset < end else { return nil }
        try fill(LogBlock.headerBytes)
        guard let header = LogBlock.Header(window) else { throw damaged("no block begins here") }
        return header
    }

    /// The next block, if it is whole; it stays the next one.
    mutating func block() throws(LogFailure) -> LogBlock? {
        guard let header = try header() else { return nil }
        try fill(header.byteCount)
        guard let block = LogBlock(window) else { throw damaged("the block is not whole") }
        return block
    }

    /// Goes behind the next block.
    mutating func skip(_ header: LogBlock.Header) {
        offset += Int64(header.byteCount)
        window = window.dropFirst(header.byteCount)
    }

    func damaged(_ reason: String) -> LogFailure {
        .damaged(file: file.path, offset: offset, reason: reason)
    }

    private mutating func fill(_ byteCount: Int) throws(LogFailure) {
        guard window.count < byteCount, Int64(window.count) < end - offset else { return }
        let readable = min(end - offset, Int64(max(byteCount, windowBytes)))
        window = try file.read(at: offset, byteCount: Int(readable))[...]
    }
}
