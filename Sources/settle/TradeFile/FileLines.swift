/// The lines of a file with their numbers, some of which may be given back to be read again.
struct FileLines {
    private var reader: LineReader
    private var givenBack: [[UInt8]] = []
    /// The number of the line that was read last.
    private(set) var number = 0

    init(_ reader: LineReader) {
        self.reader = reader
    }

    mutating func next() throws -> [UInt8]? {
        if !givenBack.isEmpty {
            number += 1
            return givenBack.removeFirst()
        }
        guard let line = try reader.next() else { return nil }
        number += 1
        return line
    }

    /// The lines that were read last come again.
    mutating func giveBack(_ lines: [[UInt8]]) {
        givenBack = lines + givenBack
        number -= lines.count
    }
}
