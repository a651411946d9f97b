import Foundation
import Testing
import TradeFeed
import TradeModel

@Suite("docs/wire.md")
struct WireDocumentTests {
    /// What stands between ```json and ```.
    private func examples() throws -> [String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/wire.md"), encoding: .utf8)
        return text.components(separatedBy: "```json\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0]
        }
    }

    @Test func `every example is read as the page says`() throws {
        let examples = try examples()
        try #require(examples.count == 6)
        #expect(decode(examples[0]).map(\.decodedTrade) == [Golden.envelopeTrade])
        #expect(decode(examples[1]).map(\.decodedTrade) == [Golden.bareTrade])
        let operation = WireDecoder.decodeOperationLine(Array(examples[2].utf8), kind: .deposit)
        #expect(try operation.map { WireEncoder.encode(try $0.get()) } == Array(Golden.operation.utf8))
        #expect(Array(examples[3...]) == [Golden.envelope, Golden.bare, Golden.operation])
    }

    @Test func `the limits of the page are those of the code`() throws {
        #expect(WireLimits.messageBytesMax == 1_048_576)
        #expect(WireLimits.arrayElementsMax == 10_000)
        #expect(WireLimits.nestingDepthMax == 32)
        #expect(IntakeLimits.readAheadMessagesMax == 1_000)
        #expect(Identifier.byteCountMax == 64)
        #expect(DecimalNumber.scaleMax == 36)
    }
}
