import ServiceKit
import Synchronization

/// The bounds of what the intake holds in memory.
public enum IntakeLimits {
    /// Messages that libzmq reads ahead, for each connection. Beyond it TCP pushes back on the sender.
    public static let readAheadMessagesMax = 1_000
    /// Where a batch ends that is made of large messages; a single one may be `WireLimits.messageBytesMax`.
    public static let batchBytesMax = 8_388_608
}

/// Listens for trades that engines push: a ZeroMQ PULL socket.
///
/// Nothing is read but what is asked for with `receive`, so that a reader whose queue is full only has to stop
/// asking: the senders are held back and nothing is lost. The socket lives on a thread of its own.
///
/// A connection that sends a message larger than `WireLimits.messageBytesMax` is dropped by libzmq, with whatever
/// that sender had on its way; it reconnects by itself, and the other senders notice nothing.
public actor IntakeSocket {
    private enum Phase {
        case listening
        case draining(until: ContinuousClock.Instant)
        case closed
    }

    /// What other threads may touch while a receive waits.
    private final class Control: Sendable {
        let phase = Mutex(Phase.listening)
        let wake: WakeSignal

        init() throws(SocketFailure) {
            wake = try WakeSignal()
        }
    }

    /// What senders connect to: where a port or a path was left open, the one that was chosen.
    public nonisolated let endpoint: String

    private let control: Control
    private var socket: ZeroMQSocket?
    private var isBound = true
    private let executor = BlockingExecutor(label: "settle.intake")
    private let clock = ContinuousClock()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Listens on `tcp://host:port` (`*` for any free port) or `ipc://path`, or throws why that is not possible.
    public init(
        endpoint: String, readAheadMessagesMax: Int = IntakeLimits.readAheadMessagesMax
    ) throws(SocketFailure) {
        precondition(readAheadMessagesMax > 0, "zero would mean without bound")
        let control = try Control()
        let socket = try ZeroMQSocket.open(
            .pull, highWater: Int32(clamping: readAheadMessagesMax),
            messageBytesMax: Int64(WireLimits.messageBytesMax))
        self.endpoint = try socket.bind(endpoint)
        self.control = control
        self.socket = consume socket
    }

    /// Waits for a first message, then takes what is there without waiting, up to a count.
    ///
    /// An empty batch means that nothing came in time; nil, that the socket was stopped and all that had arrived is
    /// taken, or that it was closed. A batch that was taken is returned even if the task is cancelled meanwhile.
    public func receive(upTo messagesMax: Int, timeout: Duration) async throws -> [IntakeMessage]? {
        try await withTaskCancellationHandler {
            try receiveBlocking(upTo: messagesMax, deadline: clock.now + timeout)
        } onCancel: {
            control.wake.raise()
        }
    }

    /// Asks for an orderly end, from any thread: a receive that waits returns, no new message is let in, and further
    /// receives take what has already arrived, until there is nothing or the time is over.
    public nonisolated func stop(drainingFor time: Duration) {
        control.phase.withLock { phase in
            if case .listening = phase { phase = .draining(until: .now + time) }
        }
        control.wake.raise()
    }

    /// Closes at once, also while a receive waits; what was not received is dropped.
    public nonisolated func close() async {
        control.phase.withLock { $0 = .closed }
        control.wake.raise()
        await closeSocket()
    }

    private func closeSocket() {
        socket = nil
    }

    private func receiveBlocking(upTo messagesMax: Int, deadline: ContinuousClock.Instant) throws -> [IntakeMessage]? {
        while true {
            try Task.checkCancellation()
            switch control.phase.withLock({ $0 }) {
            case .listening:
                let batch = try take(upTo: messagesMax)
                let remaining = clock.now.duration(to: deadline)
                guard batch.isEmpty, remaining > .zero else { return batch }
                try socket?.waitToReceive(or: control.wake.descriptor, timeout: remaining)
                control.wake.clear()
            case .draining(let drainDeadline):
                unbind()
                let batch = clock.now < drainDeadline ? try take(upTo: messagesMax) : []
                if !batch.isEmpty { return batch }
                control.phase.withLock { $0 = .closed }
            case .closed:
                socket = nil
                return nil
            }
        }
    }

    private func unbind() {
        guard isBound else { return }
        socket?.unbind(endpoint)
        isBound = false
    }

    private func take(upTo messagesMax: Int) throws(SocketFailure) -> [IntakeMessage] {
        var batch: [IntakeMessage] = []
        var byteCount = 0
        while batch.count < messagesMax, byteCount < IntakeLimits.batchBytesMax,
            let message = try socket?.receive(keepingBytes: WireLimits.messageBytesMax) ?? nil
        {
            byteCount += message.bytes.count
            batch.append(message)
        }
        return batch
    }
}
