import HashChain
import TradeModel

/// Remembers on disk where the consumers are that records are kept for, so that a publisher that starts anew keeps
/// them.
///
/// It is a text: a line for each consumer, its sequence and its name, and a last line with the checksum of the others.
public struct FeedPlaceFile: Sendable {
    private static let title = "settle feed places 1\n"

    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// None where there is no file yet. A file that is not as it was written is refused.
    public func load() throws(LogFailure) -> [FeedPlace] {
        guard try LogFile.exists(path) else { return [] }
        let file = try LogFile.open(path, writable: false)
        let bytes = try file.read(at: 0, byteCount: Int(try file.byteCount()))
        guard let places = Self.places(in: bytes) else {
            throw .damaged(file: path, offset: 0, reason: "these are no places of consumers")
        }
        return places
    }

    /// Replaces the file as a whole, and durably.
    public func save(_ places: [FeedPlace]) throws(LogFailure) {
        let file = try LogFile.open(path + ".new", writable: true, creating: true)
        try file.truncate(to: 0)
        try file.write(Self.bytes(of: places), at: 0)
        try file.sync()
        try LogFile.rename(path + ".new", to: path)
        try LogFile.syncFolder(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
    }

    private static func bytes(of places: [FeedPlace]) -> [UInt8] {
        var text = title
        for place in places { text += "\(place.acknowledged) \(place.consumer)\n" }
        let checksum = Array(text.utf8).withUnsafeBytes { HashChain.checksum($0) }
        return Array((text + checksum.hexadecimal + "\n").utf8)
    }

    private static func places(in bytes: [UInt8]) -> [FeedPlace]? {
        guard let text = String(validating: bytes, as: UTF8.self), text.hasPrefix(title) else { return nil }
        var places: [FeedPlace] = []
        for line in text.dropFirst(title.count).split(separator: "\n").dropLast() {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, let sequence = Int64(words[0]), (0...LogLimits.sequenceMax).contains(sequence),
                let consumer = Identifier(String(words[1]))
            else { return nil }
            places.append(FeedPlace(consumer: consumer, acknowledged: sequence))
        }
        return Self.bytes(of: places) == bytes ? places : nil
    }
}
