import CommandKit
import Foundation
import Glibc

/// Reads a file, or standard input for `-`, line by line in bounded memory.
struct LineReader {
    /// A line of more bytes than this is handed out in its first part only, which no decoder takes for a whole one.
    private static let lineBytesMax = 2 << 20
    private static let chunkBytes = 1 << 18

    let name: String
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    /// Whether the line at hand was handed out already, as far as it goes.
    private var isSkipping = false

    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        if path == "-" {
            handle = .standardInput
        } else {
            handle = FileHandle(fileDescriptor: try FileProblem.open(path), closeOnDealloc: true)
        }
    }

    /// Tells a person at the keyboard that it is their turn: what they forgot to name is read from there.
    func invite(_ what: String, _ context: Context) {
        guard handle === FileHandle.standardInput, context.terminal.inputIsTerminal else { return }
        context.output.note("reading \(what) from the terminal, a line of JSON each; Ctrl-D ends them")
    }

    /// The next line without its end; nil after the last.
    mutating func next() throws -> [UInt8]? {
        var scanned = position
        while true {
            if let end = buffer[scanned...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[position..<end]
                position = end + 1
                scanned = position
                guard isSkipping else { return Array(line) }
                isSkipping = false
                continue
            }
            scanned = buffer.count
            if isAtEnd || buffer.count - position > Self.lineBytesMax {
                let start = buffer[position...]
                position = buffer.count
                if !isSkipping, !start.isEmpty {
                    isSkipping = !isAtEnd
                    return Array(start)
                }
                if isAtEnd { return nil }
            }
            buffer.removeFirst(position)
            scanned -= position
            position = 0
            var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
            let count = try chunk.withUnsafeMutableBytes {
                try FileProblem.read(handle.fileDescriptor, into: $0, of: name)
            }
            isAtEnd = count == 0
            buffer += chunk.prefix(count)
        }
    }
}
