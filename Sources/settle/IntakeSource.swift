import CommandKit
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// Trades that engines push over ZeroMQ, decoded for the pool.
struct IntakeSource: SettlementService.Source {
    let socket: IntakeSocket
    let log: Log
    /// Asked for when it comes to it, since it may be configured anew meanwhile.
    let shutdownTimeout: @Sendable () -> Duration

    /// So many messages are taken in one go. A message may hold many trades; the pool takes them as it has room.
    private static let messagesMax = 500

    func next() async throws -> [SettlementItem]? {
        let source = "zmq \(socket.endpoint)"
        return try await socket.receive(upTo: Self.messagesMax, timeout: .milliseconds(250))?
            .flatMap { WireDecoder.decodeMessage($0, source: source) }
    }

    func stop() async {
        socket.stop(drainingFor: shutdownTimeout())
    }
}

extension SettlementService.WhenFull: ArgumentValue {}
