import CommandKit
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// Trades that engines push over ZeroMQ, decoded for the pool.
actor IntakeSource: SettlementService.Source {
    private let socket: IntakeSocket
    /// Asked for when it comes to it, since it may be configured anew meanwhile.
    private let shutdownTimeout: @Sendable () -> Duration
    /// Received, and not handed out yet.
    private var messages: ArraySlice<IntakeMessage> = []

    /// So many messages are taken in one go. A message may hold many trades; the pool takes them as it has room.
    private static let messagesMax = 500
    /// With so many items no further message is decoded: of a few bytes each, they take far more than they came in.
    private static let itemsMax = 10_000

    init(_ socket: IntakeSocket, shutdownTimeout: @escaping @Sendable () -> Duration) {
        self.socket = socket
        self.shutdownTimeout = shutdownTimeout
    }

    func next() async throws -> [SettlementItem]? {
        if messages.isEmpty {
            guard let received = try await socket.receive(upTo: Self.messagesMax, timeout: .milliseconds(250)) else {
                return nil
            }
            messages = received[...]
        }
        var items: [SettlementItem] = []
        while items.count < Self.itemsMax, let message = messages.popFirst() {
            items += WireDecoder.decodeMessage(message, source: "zmq \(socket.endpoint)")
        }
        return items
    }

    nonisolated func stop() async {
        socket.stop(drainingFor: shutdownTimeout())
    }
}

extension SettlementService.WhenFull: ArgumentValue {}
