import Foundation
import SettleTesting
import TradeFeed
import TradeModel

/// A place for one worker to listen at, and a sender to it.
final class Endpoint: Sendable {
    let name = "ipc:///tmp/settle-test-\(UUID().uuidString.prefix(13)).sock"

    /// A receiver that was killed leaves its socket behind.
    deinit { unlink(String(name.dropFirst("ipc://".count))) }

    /// Pushes messages and waits until libzmq has handed them to the receiver's machine.
    func push(_ messages: [[UInt8]]) async throws {
        let socket = try PushSocket(endpoint: name)
        let count = try await socket.send(messages, timeout: .seconds(60))
        try await socket.close(linger: .seconds(60))
        guard count == messages.count else { throw WaitedInVain(description: "only \(count) messages were taken") }
    }

    func push(_ trades: some Collection<Trade>, inMessagesOf size: Int = 1) async throws {
        try await push(messages(of: trades, size))
    }

    /// Pushes trades one by one to a receiver that may die meanwhile, and does not mind what is lost.
    func pushWhatFits(_ trades: some Collection<Trade>) async throws {
        let socket = try PushSocket(endpoint: name)
        _ = try await socket.send(messages(of: trades, 1), timeout: .milliseconds(200))
        try await socket.close(linger: .zero)
    }

    func push(_ text: String) async throws {
        try await push([Array(text.utf8)])
    }
}

/// The trades in messages of some size: alone, or as arrays.
func messages(of trades: some Collection<Trade>, _ size: Int) -> [[UInt8]] {
    let encoded = trades.map { WireEncoder.encode($0) }
    if size == 1 { return encoded }
    return stride(from: 0, to: encoded.count, by: size).map { start in
        let part = encoded[start..<min(start + size, encoded.count)]
        return Array("[".utf8) + Array(part.joined(separator: Array(",".utf8))) + Array("]".utf8)
    }
}
