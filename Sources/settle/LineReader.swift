import CommandKit
import Foundation

/// Reads a file, or standard input for `-`, line by line in bounded memory.
struct LineReader {
    /// A line of more bytes than this is handed out in its first part only, which no decoder takes for a whole one.
    private static let lineBytesMax = 2 << 20

    let name: String
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false

    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        if path == "-" {
            handle = .standardInput
        } else {
            guard let handle = FileHandle(forReadingAtPath: path) else {
                throw CommandFailure("cannot read \(path.printable): no such file, or no permission", exit: .usage)
            }
            self.handle = handle
        }
    }

    /// The next line without its end; nil after the last.
    mutating func next() throws -> [UInt8]? {
        var scanned = position
        while true {
            if let end = buffer[scanned...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                return Array(buffer[position..<end])
            }
            scanned = buffer.count
            if isAtEnd || buffer.count - position > Self.lineBytesMax {
                guard position < buffer.count else { return nil }
                defer { position = buffer.count }
                return Array(buffer[position...])
            }
            buffer.removeFirst(position)
            scanned -= position
            position = 0
            do {
                let chunk = try handle.read(upToCount: 1 << 18) ?? Data()
                isAtEnd = chunk.isEmpty
                buffer.append(contentsOf: chunk)
            } catch {
                throw CommandFailure("cannot read \(name.printable): \(error.localizedDescription)")
            }
        }
    }
}
