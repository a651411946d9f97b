import Foundation
import ServiceKit
import Testing
import TradeFeed
import TradeModel

/// Where a test's publisher listens, and how fast it and its consumers notice things.
enum FeedFixture {
    static let stream = Identifier("main")!

    /// libzmq leaves the files of its sockets behind; they go with the process.
    private static let folder: String = {
        let path = "/tmp/settle-feed-\(getpid())"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/settle-feed-\(getpid())") }
        return path
    }()

    static func sender(_ name: String) -> FeedSender {
        FeedSender(consumer: Identifier(name)!, subscription: FeedSubscription(instance: 1, attempt: 1))
    }

    static func endpoint() -> String { "ipc://\(folder)/\(UInt64.random(in: 0...UInt64.max))" }

    static func publisher(
        _ endpoint: String, _ log: any RecordLog, epoch: UInt64 = 1, placeFile: String? = nil,
        onlyDurable: Bool = false, batchRecordsMax: Int = 50, silenceMilliseconds: Int = 400
    ) throws -> FeedPublisher {
        var settings = FeedPublisher.Settings()
        settings.sessions.heartbeatMilliseconds = 20
        settings.sessions.silenceMilliseconds = silenceMilliseconds
        settings.sessions.batchRecordsMax = batchRecordsMax
        settings.onlyDurable = onlyDurable
        settings.placeFile = placeFile
        return try FeedPublisher(endpoint: endpoint, stream: stream, epoch: epoch, log: log, settings: settings)
    }

    static func consumer(
        _ endpoint: String, _ name: String = "a", instance: UInt64 = 1, after position: StreamPosition = .start,
        credit: Int = 4, keepsPlace: Bool = true
    ) throws -> FeedConsumer {
        var settings = FeedCursor.Settings()
        settings.creditBatches = credit
        settings.heartbeatMilliseconds = 20
        settings.answerMilliseconds = 40
        settings.silenceMilliseconds = 400
        settings.backoffMillisecondsMax = 50
        return try FeedConsumer(
            endpoint: endpoint,
            start: FeedCursor.Start(
                consumer: Identifier(name)!, stream: stream, instance: instance, after: position.sequence,
                hash: position.hash, keepsPlace: keepsPlace),
            settings: settings)
    }
}

extension FeedPublisher {
    /// Runs while the body does.
    @discardableResult
    func whileRunning<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.run() }
            defer { stop() }
            return try await body()
        }
    }
}

extension FeedConsumer {
    @discardableResult
    func whileRunning<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Why it ended is what `next` throws.
            group.addTask { try? await self.run() }
            defer { stop() }
            return try await body()
        }
    }

    /// Takes until a sequence has come, and holds each record against what it must be.
    func take(to last: Int64, after position: StreamPosition = .start) async throws -> StreamPosition {
        var position = position
        while position.sequence < last {
            guard let run = try await next() else { break }
            #expect(run.start == position && run.isConsistent)
            for (number, bytes) in zip(run.first..., run.records) { #expect(bytes.elementsEqual(record(number))) }
            position = run.end
            acknowledge(upTo: position.sequence)
        }
        return position
    }
}

/// Asks until it is so; what changes by itself on another thread has no signal to wait for.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws -> Bool {
    for _ in 0..<2_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return false
}

/// Somebody who sends bytes that no consumer would, from a thread of its own.
actor Stranger {
    private var socket: ZeroMQSocket
    private let wake: WakeSignal
    private let executor = BlockingExecutor(label: "settle.test.stranger")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(to endpoint: String, highWater: Int32 = 1_000) throws {
        let socket = try ZeroMQSocket.open(.dealer, highWater: highWater, messageBytesMax: nil)
        try socket.connect(endpoint)
        self.socket = consume socket
        wake = try WakeSignal()
    }

    func send(_ bytes: [UInt8]) throws {
        while case .full = try socket.sendNow(bytes, [], to: nil) {
            try socket.waitToReceive(or: wake.descriptor, orToSend: true, timeout: .milliseconds(10))
        }
    }

    func receive() throws -> FeedFrame? {
        try socket.waitToReceive(or: wake.descriptor, timeout: .seconds(20))
        return try socket.receiveFrame(routed: false)
    }
}
