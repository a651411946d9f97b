import Foundation
import HashChain
import TradeFeed
import TradeModel

/// Who leads, as an engine's folder remembers it: by what right it leads, or whom it follows.
struct EngineLead: Codable, Hashable {
    /// Each time that the engine was made to lead in another's place, by whom and why.
    struct Promotion: Codable, Hashable {
        var epoch: UInt64
        /// The last record that it had then.
        var sequence: Int64
        var hash: String
        /// Whom it had followed.
        var followed: String?
        /// Records that the leader was known to have, and that nobody has any more.
        var lostUpTo: Int64?
        var at: String
        var by: String
        var reason: String

        enum CodingKeys: String, CodingKey {
            case epoch, sequence, hash, followed, at, by, reason
            case lostUpTo = "lost_up_to"
        }
    }

    /// Where an engine parted from its leader.
    struct Difference: Codable, Hashable {
        var sequence: Int64
        var text: String
    }

    /// The largest epoch that it has led with, or that its leader had.
    var epoch: UInt64
    /// The feed of the engine that it follows; nil when it leads.
    var leader: String?
    /// What it is called as a consumer of that feed.
    var replica: String
    /// Set until it has followed beyond: so long it must not lead.
    var difference: Difference?
    var promotions: [Promotion] = []

    /// One that was always alone.
    static var first: EngineLead { EngineLead(epoch: 1, leader: nil, replica: newName) }

    private static var newName: String { "replica-" + UInt64.random(in: .min ... .max).hexadecimal }

    /// From now on it follows; where it has nothing yet, the epoch is its leader's alone.
    mutating func follow(_ leader: String, isEmpty: Bool) {
        self.leader = leader
        if isEmpty { epoch = 0 }
    }

    mutating func promote(_ request: PromotionRequest, at position: StreamPosition, lostUpTo: Int64?, now: Timestamp) {
        epoch += 1
        promotions.append(
            Promotion(
                epoch: epoch, sequence: position.sequence, hash: position.hash.hexadecimal, followed: leader,
                lostUpTo: lostUpTo, at: "\(now)", by: request.actor, reason: request.reason))
        leader = nil
    }
}

extension EngineLead {
    /// JSON, and a line with its checksum.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let json = Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        try DurableFile.write(json + Array((Self.check(json) + "\n").utf8), to: path)
    }

    /// Nil where there is no file. One that is not as it was written is refused.
    static func read(_ path: String) throws -> EngineLead? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes = try DurableFile.read(path)
        let json = Array(bytes.dropLast(17))
        guard bytes.suffix(17).elementsEqual((check(json) + "\n").utf8),
            let lead = try? JSONDecoder().decode(EngineLead.self, from: Data(json))
        else { throw EngineFailure("\(path) is not as it was written; restore the folder from a copy") }
        return lead
    }

    private static func check(_ json: [UInt8]) -> String {
        json.withUnsafeBytes { HashChain.checksum($0) }.hexadecimal
    }
}
