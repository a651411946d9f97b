import Testing
import TradeFeed

@testable import settle

/// What a worker takes in over ZeroMQ, before the pool.
@Suite struct IntakeSourceTests {
    @Test func `what few messages hold is handed out in parts, all of it`() async throws {
        // given messages of 18 kB with 9,000 refusals each, of which some hundred would fit into one page
        let socket = try IntakeSocket(endpoint: "tcp://127.0.0.1:*")
        let source = IntakeSource(socket) { .seconds(1) }
        let message = Array("[\(Array(repeating: "1", count: 9_000).joined(separator: ","))]".utf8)
        let sender = try PushSocket(endpoint: socket.endpoint)
        #expect(try await sender.send(Array(repeating: message, count: 4), timeout: .seconds(60)) == 4)
        try await sender.close(linger: .seconds(60))

        // when they are read
        var counts: [Int] = []
        while counts.reduce(0, +) < 36_000 { counts.append(try #require(try await source.next()).count) }

        // then no part is much more than a message
        #expect(counts.reduce(0, +) == 36_000)
        #expect(counts.allSatisfy { $0 <= 18_000 })
        await socket.close()
    }
}
