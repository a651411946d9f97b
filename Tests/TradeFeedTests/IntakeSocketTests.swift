import Testing
import TradeFeed
import TradeModel

@Suite("Intake over ZeroMQ", .timeLimit(.minutes(5)))
struct IntakeSocketTests {
    private static let anyPort = "tcp://127.0.0.1:*"
    private let patience = Duration.seconds(60)

    /// Receives until so many messages are there, or none comes any more.
    private func receive(_ count: Int, from intake: IntakeSocket) async throws -> [IntakeMessage] {
        var messages: [IntakeMessage] = []
        while messages.count < count {
            guard let batch = try await intake.receive(upTo: 256, timeout: patience), !batch.isEmpty else { break }
            messages += batch
        }
        return messages
    }

    /// What is sent on a connection that is about to break may be lost.
    private func send(
        _ message: [UInt8], with engine: PushSocket, untilHeardBy intake: IntakeSocket
    ) async throws -> [UInt8]? {
        for _ in 0..<400 {
            _ = try await engine.send([message], timeout: patience)
            if let heard = try await intake.receive(upTo: 1, timeout: .milliseconds(50))?.first { return heard.bytes }
        }
        return nil
    }

    @Test(arguments: [anyPort, "ipc://*"])
    func `a trade and an array of trades arrive as they were sent`(endpoint: String) async throws {
        let intake = try IntakeSocket(endpoint: endpoint)
        #expect(!intake.endpoint.contains("*"))
        let engine = try PushSocket(endpoint: intake.endpoint)
        let array = "[\(Golden.bare),\(Golden.received)]"
        let sent = try await engine.send([Array(Golden.received.utf8), Array(array.utf8)], timeout: patience)
        #expect(sent == 2)
        let items = try await receive(2, from: intake).flatMap {
            WireDecoder.decodeMessage($0, source: intake.endpoint)
        }
        #expect(items.map(\.decodedTrade) == [Golden.envelopeTrade, Golden.bareTrade, Golden.envelopeTrade])
        #expect(items[0].origin == .message(intake.endpoint))
    }

    @Test func `many messages arrive in the order of their sender`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let engine = try PushSocket(endpoint: intake.endpoint)
        let messages = (0..<5_000).map { Array(trade(["id": "\($0)"]).utf8) }
        async let sent = engine.send(messages, timeout: patience)
        let received = try await receive(messages.count, from: intake)
        #expect(try await sent == messages.count)
        #expect(received.map(\.bytes) == messages)
    }

    @Test func `a batch is no larger than asked for`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let engine = try PushSocket(endpoint: intake.endpoint)
        _ = try await engine.send((0..<10).map { [UInt8($0)] }, timeout: patience)
        var received: [UInt8] = []
        while received.count < 10 {
            let batch = try #require(try await intake.receive(upTo: 3, timeout: patience))
            #expect((1...3).contains(batch.count))
            received += batch.flatMap(\.bytes)
        }
        #expect(received == Array(0..<10))
    }

    @Test func `nothing sent is an empty batch, in time`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        #expect(try await intake.receive(upTo: 10, timeout: .zero) == [])
        #expect(try await intake.receive(upTo: 10, timeout: .milliseconds(5)) == [])
    }

    @Test func `a reader that does not read holds the sender back, and nothing is lost`() async throws {
        // Given 40 MB for a socket that reads ahead ten messages: more than the kernel keeps on its way.
        let intake = try IntakeSocket(endpoint: Self.anyPort, readAheadMessagesMax: 10)
        let engine = try PushSocket(endpoint: intake.endpoint, waitingMessagesMax: 10)
        let padding = String(repeating: " ", count: 8_000)
        let messages = (0..<5_000).map { Array((trade(["id": "\($0)"]) + padding).utf8) }
        // When nobody receives, then the sender is stopped.
        let first = try await engine.send(messages, timeout: .milliseconds(200))
        #expect(first < messages.count)
        // When the reader goes on, a few at a time, then all arrive.
        async let rest = engine.send(Array(messages[first...]), timeout: patience)
        var received = 0
        while received < messages.count {
            guard let batch = try await intake.receive(upTo: 7, timeout: patience), !batch.isEmpty else { break }
            for message in batch {
                guard message.bytes == messages[received] else {
                    Issue.record("message \(received) is another one")
                    return
                }
                received += 1
            }
        }
        #expect(received == messages.count)
        #expect(try await rest == messages.count - first)
    }

    @Test func `an oversized message is not let in, and harms nobody else`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let bystander = try PushSocket(endpoint: intake.endpoint)
        _ = try await bystander.send([Array("before".utf8)], timeout: patience)
        #expect(try await receive(1, from: intake).map(\.bytes) == [Array("before".utf8)])

        let culprit = try PushSocket(endpoint: intake.endpoint)
        let largest = [UInt8](repeating: 0x20, count: WireLimits.messageBytesMax)
        _ = try await culprit.send([largest], timeout: patience)
        #expect(try await receive(1, from: intake).map(\.bytes.count) == [largest.count])
        _ = try await culprit.send([largest + [0x20]], timeout: patience)

        _ = try await bystander.send([Array("after".utf8)], timeout: patience)
        #expect(try await receive(1, from: intake).map(\.bytes) == [Array("after".utf8)])
        // It comes back by itself.
        let again = Array("again".utf8)
        #expect(try await send(again, with: culprit, untilHeardBy: intake) == again)
    }

    @Test func `what is no trade is refused with all its bytes, and the next one is read`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let engine = try PushSocket(endpoint: intake.endpoint)
        let messages = [Array("{\"v\":".utf8), [], [0xff, 0x00, 0xfe], Array(trade().utf8)]
        _ = try await engine.send(messages, timeout: patience)
        let items = try await receive(4, from: intake).flatMap { WireDecoder.decodeMessage($0, source: "zmq") }
        #expect(items.map(\.payload) == messages)
        #expect(items.map { $0.refusal?.rejection.failureClass } == [.undecodable, .undecodable, .undecodable, nil])
    }

    @Test func `a message of several parts is refused in whole`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let engine = try PushSocket(endpoint: intake.endpoint)
        let whole = Array(trade().utf8)
        #expect(try await engine.send(parts: [whole, whole, Array("x".utf8)], timeout: patience))
        #expect(try await engine.send(parts: [whole], timeout: patience))
        let messages = try await receive(2, from: intake)
        #expect(messages.map(\.parts) == [3, 1])
        let items = messages.flatMap { WireDecoder.decodeMessage($0, source: "zmq") }
        #expect(items[0].refusal?.rejection == Rejection(.undecodable, "a message of 3 parts, expected one"))
        #expect(items[0].payload == whole + whole + Array("x".utf8))
        #expect(items[1].decodedTrade != nil)
    }

    @Test func `parts are kept up to the size of a message`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let engine = try PushSocket(endpoint: intake.endpoint)
        let part = [UInt8](repeating: 0x20, count: 700_000)
        #expect(try await engine.send(parts: [part, part, part], timeout: patience))
        let message = try #require(try await receive(1, from: intake).first)
        #expect(message.bytes.count == WireLimits.messageBytesMax)
        let refusal = WireDecoder.decodeMessage(message, source: "zmq")[0].refusal
        #expect(
            refusal?.rejection.message
                == "a message of 3 parts, expected one; the first 1048576 of 2100000 bytes are kept")
    }

    @Test func `close ends a receive that waits`() async throws {
        let intake = try IntakeSocket(endpoint: FeedFixture.endpoint())
        async let waiting = intake.receive(upTo: 1, timeout: .seconds(3_600))
        await intake.close()
        #expect(try await waiting == nil)
        #expect(try await intake.receive(upTo: 1, timeout: patience) == nil)
        // The endpoint is free again.
        _ = try IntakeSocket(endpoint: intake.endpoint)
    }

    @Test func `stop ends a receive that waits`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        async let waiting = intake.receive(upTo: 1, timeout: .seconds(3_600))
        intake.stop(drainingFor: .seconds(3_600))
        #expect(try await waiting == nil)
    }

    @Test func `cancellation ends a receive that waits, and the socket stays open`() async throws {
        let intake = try IntakeSocket(endpoint: Self.anyPort)
        let task = Task { try await intake.receive(upTo: 1, timeout: .seconds(3_600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let engine = try PushSocket(endpoint: intake.endpoint)
        _ = try await engine.send([[1]], timeout: patience)
        #expect(try await receive(1, from: intake).count == 1)
    }

    /// Queued before anybody listens, the messages come in one piece: once the first is there, all are.
    private func intakeWithTwentyArrived() async throws -> (IntakeSocket, PushSocket) {
        let endpoint = FeedFixture.endpoint()
        let engine = try PushSocket(endpoint: endpoint)
        #expect(try await engine.send((0..<21).map { [UInt8($0)] }, timeout: patience) == 21)
        let intake = try IntakeSocket(endpoint: endpoint)
        #expect(try await intake.receive(upTo: 1, timeout: patience)?.map(\.bytes) == [[0]])
        return (intake, engine)
    }

    @Test func `after stop, what has arrived is still taken`() async throws {
        let (intake, engine) = try await intakeWithTwentyArrived()
        intake.stop(drainingFor: .seconds(3_600))
        var received: [UInt8] = []
        while let batch = try await intake.receive(upTo: 6, timeout: patience) { received += batch.flatMap(\.bytes) }
        #expect(received == Array(1..<21))
        // The sender finds the next reader by itself.
        let next = try IntakeSocket(endpoint: intake.endpoint)
        #expect(try await send([99], with: engine, untilHeardBy: next) == [99])
    }

    @Test func `draining ends at its deadline`() async throws {
        let (intake, engine) = try await intakeWithTwentyArrived()
        intake.stop(drainingFor: .zero)
        #expect(try await intake.receive(upTo: 6, timeout: patience) == nil)
        try await engine.close(linger: .zero)
    }

    @Test(arguments: [anyPort, "ipc://*"])
    func `an endpoint that is taken is refused in one line`(endpoint: String) throws {
        let first = try IntakeSocket(endpoint: endpoint)
        let failure = #expect(throws: SocketFailure.self) { try IntakeSocket(endpoint: first.endpoint) }
        #expect(failure?.description == "cannot listen on \(first.endpoint) (Address already in use)")
    }

    @Test func `an endpoint that is none is refused in one line`() {
        let failure = #expect(throws: SocketFailure.self) { try IntakeSocket(endpoint: "nowhere") }
        #expect(failure?.description == "cannot listen on nowhere (Invalid argument)")
    }

    @Test func `a sender without a receiver is told so in time`() async throws {
        let engine = try PushSocket(endpoint: FeedFixture.endpoint(), waitingMessagesMax: 1)
        let sent = try await engine.send([[1], [2], [3], [4]], timeout: .milliseconds(5))
        #expect(sent < 4)
        try await engine.close(linger: .zero)
        await #expect(throws: SocketFailure.self) { try await engine.send([[1]], timeout: .zero) }
    }
}
