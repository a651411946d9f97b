import ServiceKit

/// Sends messages to an intake, as an engine does: a ZeroMQ PUSH socket, on a thread of its own.
///
/// A message that was sent lies in libzmq's memory or on its way; nobody says whether it was settled.
public actor PushSocket {
    private var socket: ZeroMQSocket?
    private let executor = BlockingExecutor(label: "settle.push")

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Connects, now or as soon as somebody listens there. So many messages may wait to be sent.
    public init(endpoint: String, waitingMessagesMax: Int = IntakeLimits.readAheadMessagesMax) throws(SocketFailure) {
        let socket = try ZeroMQSocket.open(.push, highWater: Int32(clamping: waitingMessagesMax), messageBytesMax: nil)
        try socket.connect(endpoint)
        self.socket = consume socket
    }

    /// Sends in order, and says how many were taken before one did not fit within its time.
    public func send(_ messages: [[UInt8]], timeout: Duration) throws(SocketFailure) -> Int {
        for (count, message) in messages.enumerated() {
            guard try send(parts: [message], timeout: timeout) else { return count }
        }
        return messages.count
    }

    /// Sends one message of several parts; false when it did not fit in time.
    public func send(parts: [[UInt8]], timeout: Duration) throws(SocketFailure) -> Bool {
        guard let sent = try socket?.send(parts, timeout: timeout) else {
            throw SocketFailure("send", reason: "closed")
        }
        return sent
    }

    /// Waits until everything is with the receiver's machine, but no longer than so, then drops the rest.
    public func close(linger: Duration) throws(SocketFailure) {
        try socket?.linger(linger)
        socket = nil
    }
}
