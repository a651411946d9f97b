import Foundation
import ServiceKit
import Testing
import TradeFeed
import TradeModel

/// The messages of `docs/wire.md`, in the order of the page.
enum GoldenFeed {
    static let hash: UInt64 = 0x568E_362A_7B1E_64C2
    static let subscription = FeedSubscription(instance: 7, attempt: 2)
    static let sender = FeedSender(consumer: Identifier("settlement")!, subscription: subscription)
    static let newest = StreamPosition(sequence: 1_042, hash: hash)

    static let messages: [FeedMessage] = [
        .subscribe(
            FeedMessage.Subscribe(
                sender: sender, stream: Identifier("main"), epoch: 3, first: 1_043, hash: hash, durable: 1_000,
                credit: 8)),
        .credit(sender, total: 24),
        .ack(sender, 1_042),
        .alive(sender, newest),
        .leave(sender),
        .batch(
            FeedMessage.Batch(
                subscription: subscription, stream: Identifier("main")!, epoch: 3, newest: 2,
                run: RecordRun(
                    start: .start, records: RecordBuffer([Array("trade".utf8), Array("deposit".utf8)])))),
        .heartbeat(FeedMessage.Heartbeat(subscription: subscription, epoch: 3, newest: newest, sent: 1_040)),
        .refused(
            FeedMessage.Refused(
                subscription: subscription, reason: .notKept, oldest: 500, newest: newest,
                text: "record 1 is no longer kept; the oldest that is, is 500")),
    ]

    static func bytes() throws -> [[UInt8]] { try blocks("hex") }

    /// What stands on the page between ``` with this word and ```.
    static func blocks(_ word: String) throws -> [[UInt8]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/wire.md"), encoding: .utf8)
        return text.components(separatedBy: "```\(word)\n").dropFirst().map { block in
            let digits = Array(block.components(separatedBy: "\n```")[0].filter(\.isHexDigit))
            return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0..<$0 + 2]), radix: 16)! }
        }
    }
}

@Suite("Messages of the feed")
struct FeedMessageTests {
    private func decode(_ bytes: [UInt8]) -> Result<FeedMessage, MalformedFeedMessage> {
        Result { () throws(MalformedFeedMessage) in try FeedMessage(bytes) }
    }

    @Test func `every message has the bytes of the page, and is read from them`() throws {
        let golden = try GoldenFeed.bytes()
        try #require(golden.count == GoldenFeed.messages.count)
        for (bytes, message) in zip(golden, GoldenFeed.messages) {
            #expect(message.encode() == bytes)
            #expect(try FeedMessage(bytes) == message)
        }
    }

    @Test func `optional fields are told apart from zero`() throws {
        for (hash, keepsPlace, isReplica) in [
            (nil, true, false), (0, true, true), (nil, false, true), (1, false, false),
        ] as [(UInt64?, Bool, Bool)] {
            let message = FeedMessage.subscribe(
                FeedMessage.Subscribe(
                    sender: GoldenFeed.sender, first: 1, hash: hash, durable: 0, credit: 0, keepsPlace: keepsPlace,
                    isReplica: isReplica))
            #expect(try FeedMessage(message.encode()) == message)
        }
    }

    @Test func `a message that is cut or goes on is refused`() throws {
        for message in GoldenFeed.messages {
            let bytes = message.encode()
            for count in 4..<bytes.count {
                guard case .failure = decode(Array(bytes[..<count])) else {
                    Issue.record("\(message) cut to \(count) bytes")
                    continue
                }
            }
            guard case .failure = decode(bytes + [0]) else {
                Issue.record("\(message) goes on")
                continue
            }
        }
    }

    @Test func `other protocols, versions and kinds are refused as such`() {
        var bytes = GoldenFeed.messages[4].encode()
        #expect(decode([]) == .failure(.otherProtocol))
        #expect(decode(Array("{}".utf8)) == .failure(.otherProtocol))
        bytes[2] = 2
        #expect(decode(bytes) == .failure(.otherVersion(2)))
        bytes[2] = 1
        for kind in [0, 6, 128, 132, 255] as [UInt8] {
            bytes[3] = kind
            #expect(decode(bytes) == .failure(.unknownKind(kind)))
        }
    }

    @Test func `what no field can say is refused`() {
        let fine = FeedMessage.Subscribe(sender: GoldenFeed.sender, first: 5, durable: 4, credit: 1)
        var changed = fine
        changed.first = 0
        #expect(decode(FeedMessage.subscribe(changed).encode()) == .failure(.unacceptable("the first sequence")))
        changed.first = Int64.max
        #expect(decode(FeedMessage.subscribe(changed).encode()) == .failure(.unacceptable("the first sequence")))
        changed = fine
        changed.durable = 5
        #expect(decode(FeedMessage.subscribe(changed).encode()) == .failure(.unacceptable("the durable sequence")))
        var bytes = FeedMessage.subscribe(fine).encode()
        bytes[bytes.count - 9] = 8
        #expect(decode(bytes) == .failure(.unacceptable("the flags")))
        bytes = FeedMessage.subscribe(fine).encode()
        bytes[bytes.count - 10] ^= 1
        #expect(decode(bytes) == .failure(.damaged))
        #expect(
            decode(FeedMessage.ack(GoldenFeed.sender, -1).encode()) == .failure(.unacceptable("the sequence")))
        for name in [" a", "a\u{1}", "\u{2009}a"] {
            var sender = GoldenFeed.sender
            sender.consumer = Identifier(stored: name)
            #expect(decode(FeedMessage.leave(sender).encode()) == .failure(.unacceptable("the consumer's name")))
        }
        var sender = GoldenFeed.sender
        sender.consumer = Identifier(stored: "")
        #expect(decode(FeedMessage.leave(sender).encode()) == .failure(.unacceptable("the consumer's name")))
        let huge = [UInt8](repeating: 0, count: FeedLimits.messageBytesMax + 1)
        #expect(decode(huge) == .failure(.tooLarge(byteCount: huge.count)))
    }

    @Test func `a batch whose records do not fill it exactly is refused`() {
        let bytes = GoldenFeed.messages[5].encode()
        let lengths = bytes.count - 20
        for (place, value) in [(lengths, 6), (lengths, 4), (lengths + 3, 1), (lengths + 9, 255)] as [(Int, UInt8)] {
            var changed = bytes
            changed[place] = value
            #expect(decode(changed) == .failure(.wrongLength))
        }
    }

    @Test func `the text of a refusal is cut at a whole character`() throws {
        let refused = FeedMessage.Refused(
            subscription: GoldenFeed.subscription, reason: .ahead, text: String(repeating: "é", count: 400))
        guard case .refused(let read) = try FeedMessage(FeedMessage.refused(refused).encode()) else { return }
        #expect(read.text == String(repeating: "é", count: 256))
    }

    @Test func `a message with any bit turned over is refused, or its records are`() throws {
        for message in GoldenFeed.messages {
            let bytes = message.encode()
            for bit in 0..<bytes.count * 8 {
                var changed = bytes
                changed[bit / 8] ^= 1 << (bit % 8)
                guard case .success(let read) = decode(changed) else { continue }
                guard case .batch(let batch) = read, !batch.run.isConsistent else {
                    Issue.record("\(message) with bit \(bit) turned over")
                    continue
                }
            }
        }
    }

    @Test func `any bytes are read or refused, and read messages are written as they were`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let golden = GoldenFeed.messages.map { $0.encode() }
        for _ in 0..<50_000 {
            var bytes = golden.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[place] = [0, 1, 127, 128, 255].randomElement(using: &generator)!
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            if case .success(let message) = decode(bytes) {
                #expect(message.encode() == bytes, "seed \(seed)")
            }
        }
    }

    @Test func `the limits of the page are those of the code`() {
        #expect(LogLimits.recordBytesMax == 4_194_304)
        #expect(LogLimits.sequenceMax == 4_611_686_018_427_387_903)
        #expect(FeedLimits.batchRecordsMax == 4_096)
        #expect(FeedLimits.batchBytesMax == 262_144)
        #expect(FeedLimits.creditBatchesMax == 64)
        #expect(FeedLimits.consumerMessageBytesMax == 1_024)
        #expect(FeedLimits.messageBytesMax == 4_456_448)
        #expect(FeedLimits.refusalTextBytesMax == 512)
        #expect(FeedSessions.Settings().silenceMilliseconds == 5_000)
        #expect(FeedSessions.Settings().heartbeatMilliseconds == 1_000)
        #expect(FeedCursor.Settings().silenceMilliseconds == 5_000)
        #expect(FeedCursor.Settings().heartbeatMilliseconds == 1_000)
    }
}
