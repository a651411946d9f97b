import Foundation
import TradeModel
import ServiceKit
import TradeFeed

/// Records that follow from their sequence, so that each can be told from all others.
func record(_ sequence: Int64, byteCount: Int = 24) -> [UInt8] {
    var generator = SeededGenerator(seed: UInt64(sequence))
    var bytes = Array("\(sequence):".utf8)
    while bytes.count < byteCount { bytes.append(UInt8.random(in: 0...255, using: &generator)) }
    return bytes
}

func records(_ range: ClosedRange<Int64>, byteCount: Int = 24) -> RecordBuffer {
    RecordBuffer(range.map { record($0, byteCount: byteCount) })
}

/// Where a stream of such records stands.
func position(after sequence: Int64, byteCount: Int = 24) -> StreamPosition {
    guard sequence > 0 else { return .start }
    return RecordRun(start: .start, records: records(1...sequence, byteCount: byteCount)).end
}

extension RecordBuffer {
    var arrays: [[UInt8]] { map(Array.init) }
}

/// A folder that goes when the test ends.
final class TemporaryFolder: Sendable {
    let path = "/tmp/settle-feed-\(UInt64.random(in: 0...UInt64.max))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var segments: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".log") }.sorted()
                .map { path + "/" + $0 }
        }
    }

    func bytes(of file: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: file))) }

    func write(_ bytes: [UInt8], to file: String) throws {
        try Data(bytes).write(to: URL(filePath: file))
    }
}
