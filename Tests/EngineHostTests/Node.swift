import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import TradeFeed
import TradeModel

/// An engine in this process, with sockets of its own.
final class Node: Sendable {
    private let held: Guarded<EngineHost?>
    let orders: String
    let feed: String
    private let running: Task<Void, any Error>

    /// - Parameter leader: whom it follows, by the feed.
    init(
        following leader: String? = nil, folder: String? = nil, feed: String = "ipc://*",
        _ change: (inout EngineSettings) -> Void = { _ in }
    ) throws {
        var settings = EngineSettings(entryEndpoint: "ipc://*", feedEndpoint: feed)
        settings.folder = folder
        settings.leader = leader
        change(&settings)
        let host = try EngineHost(settings, log: .silent)
        (orders, self.feed) = (host.entryEndpoint, host.feedEndpoint)
        held = Guarded(host)
        running = Task { try await host.run() }
    }

    /// A test that fails leaves no engine behind.
    deinit { held.withLock { $0 }?.stop() }

    func stop() async throws {
        held.withLock { $0 }?.stop()
        try await end()
    }

    /// How it ends; then its folder is free.
    func end() async throws {
        weak let host = held.withLock { $0 }
        let result = await running.result
        held.withLock { $0 = nil }
        try await eventually("the engine is gone") { host == nil }
        try result.get()
    }

    @discardableResult
    func carryOut(_ commands: [[UInt8]]) async throws -> [[UInt8]] {
        try await EntryClient(endpoint: orders, timeout: .seconds(30)).carryOut(commands)
    }

    func status() async throws -> EngineAnswer {
        let json = try await EntryClient(endpoint: orders, timeout: .seconds(30)).query(
            Array(JSONEncoder().encode(EngineQuery.status)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(json))
    }

    @discardableResult
    func promote(force: Bool = false, trial: Bool = false) async throws -> PromotionAnswer {
        let request = PromotionRequest(
            actor: "tester", reason: "the leader is gone", isForced: force, isDryRun: trial)
        let json = try await EntryClient(endpoint: orders, timeout: .seconds(30)).promote(
            Array(JSONEncoder().encode(request)))
        return try JSONDecoder().decode(PromotionAnswer.self, from: Data(json))
    }

    /// Why a wish to lead is refused.
    func refusal(force: Bool = false) async throws -> String? {
        do {
            try await promote(force: force)
            return nil
        } catch EntryFailure.refused(.mayNotLead, let text) { return text }
    }

    /// Waits until it is where another is, and tells where.
    @discardableResult
    func reaches(_ other: EngineAnswer) async throws -> EngineAnswer {
        var status = try await status()
        try await eventually("record \(other.sequence) is there, after \(status.sequence)") {
            status = try await self.status()
            return status.sequence >= other.sequence
        }
        return status
    }

    /// What it publishes, from a record on.
    func published(from first: Int64, to last: Int64, epoch: UInt64 = 0) async throws -> [[UInt8]] {
        let consumer = try FeedConsumer(
            endpoint: feed,
            start: FeedCursor.Start(
                consumer: Identifier("reader")!, instance: 1, after: first - 1, hash: first == 1 ? 0 : nil,
                epoch: epoch, keepsPlace: false))
        let reading = Task { try await consumer.run() }
        var records: [[UInt8]] = []
        while records.count < last - first + 1, let run = try await consumer.next() {
            records += run.records.map(Array.init)
        }
        consumer.stop()
        try await reading.value
        return records
    }
}

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/settle-engine-\(UUID().uuidString)"

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension EngineOutput {
    init(_ bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try EngineOutput(bytes: $0) }
    }
}
