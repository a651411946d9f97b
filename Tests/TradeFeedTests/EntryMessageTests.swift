import ServiceKit
import Testing
import TradeFeed

/// What passes between an engine and those who give it orders, as docs/wire.md says it.
@Suite struct EntryMessageTests {
    private static let samples: [EntryMessage] = [
        .command(1, [1, 2, 3]), .query(2, Array(#"{"about":"status"}"#.utf8)), .promote(5, Array("{}".utf8)),
        .forget(7, []),
        .record(.max, []),
        .answer(3, [UInt8](repeating: 7, count: 70_000)), .refused(4, .malformed, "this is no command"),
        .refused(6, .mayNotLead, "it lacks record 7"),
    ]

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func `the bytes are those of the page`() {
        let wish = #"{"actor":"ann","reason":"moved","force":false,"dry_run":false}"#
        #expect(
            hex(EntryMessage.query(258, Array(#"{"about":"status"}"#.utf8)).encode())
                == "534501020201000000000000" + hex(Array(#"{"about":"status"}"#.utf8)) + "3719e54441b6126c")
        #expect(
            hex(EntryMessage.promote(258, Array(wish.utf8)).encode())
                == "534501030201000000000000" + hex(Array(wish.utf8)) + "b5745fec02219129")
        #expect(
            hex(EntryMessage.refused(258, .stopping, "no").encode()) == "534501830201000000000000" + "036e6f"
                + "aa00d028109c55a0")
    }

    @Test func `what was written is read`() throws {
        for message in Self.samples { #expect(try EntryMessage(message.encode()) == message) }
    }

    @Test func `other bytes are refused, whatever they are`() {
        func problem(_ bytes: [UInt8]) -> MalformedEntryMessage? {
            do throws(MalformedEntryMessage) {
                _ = try EntryMessage(bytes)
                return nil
            } catch { return error }
        }
        let good = EntryMessage.command(1, [1, 2, 3]).encode()
        #expect(problem([]) == .otherProtocol)
        #expect(problem(Array("SF".utf8) + good.dropFirst(2)) == .otherProtocol)
        #expect(problem(Array(good.prefix(19))) == .tooShort)
        #expect(problem(good[..<2] + [9] + good[3...]) == .otherVersion(9))
        #expect(problem([UInt8](repeating: 0, count: EntryMessage.bytesMax + 1)) == .tooLarge)
        for place in good.indices.dropFirst(3) {
            var bytes = good
            bytes[place] ^= 0x10
            #expect(problem(bytes) == .damaged, "\(place)")
        }
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var bytes = Self.samples.randomElement(using: &generator)!.encode().prefix(200)
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...10, using: &generator))
            _ = problem(Array(bytes))
        }
    }
}
