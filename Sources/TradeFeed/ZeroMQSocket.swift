import CZeroMQ

/// What libzmq refused to do, in one line: `cannot listen on tcp://127.0.0.1:5558 (Address already in use)`.
public struct SocketFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var action: String
    public var reason: String

    public var description: String { "cannot \(action) (\(reason))" }

    init(_ action: String, reason: String) {
        self.action = action
        self.reason = reason
    }

    fileprivate init(_ action: String) {
        self.init(action, reason: String(cString: zmq_strerror(zmq_errno())))
    }
}

/// A libzmq socket in a context of its own. It is not thread-safe: whoever owns it calls it from one place.
struct ZeroMQSocket: ~Copyable {
    enum Pattern {
        case push, pull
    }

    private let context: UnsafeMutableRawPointer
    private let socket: UnsafeMutableRawPointer

    private init(context: UnsafeMutableRawPointer, socket: UnsafeMutableRawPointer) {
        self.context = context
        self.socket = socket
    }

    /// The high-water mark is in messages and holds for each connection; nil for a size means any.
    static func open(
        _ pattern: Pattern, highWater: Int32, messageBytesMax: Int64?
    ) throws(SocketFailure) -> ZeroMQSocket {
        guard let context = zmq_ctx_new() else { throw SocketFailure("start libzmq") }
        guard let handle = zmq_socket(context, pattern == .pull ? ZMQ_PULL : ZMQ_PUSH) else {
            let failure = SocketFailure("open a socket")
            zmq_ctx_term(context)
            throw failure
        }
        let socket = ZeroMQSocket(context: context, socket: handle)
        try socket.set(pattern == .pull ? ZMQ_RCVHWM : ZMQ_SNDHWM, highWater)
        try socket.set(ZMQ_LINGER, 0 as Int32)
        if let messageBytesMax { try socket.set(ZMQ_MAXMSGSIZE, messageBytesMax) }
        return socket
    }

    /// Waits for what a push socket still has to send, as long as its linger allows.
    deinit {
        zmq_close(socket)
        while zmq_ctx_term(context) != 0, zmq_errno() == EINTR {}
    }

    /// Listens, and tells the endpoint as it came out: a wildcard is replaced by what was chosen.
    func bind(_ endpoint: String) throws(SocketFailure) -> String {
        guard !LocalSocket.isListening(at: endpoint) else {
            throw SocketFailure("listen on \(endpoint)", reason: "Address already in use")
        }
        guard zmq_bind(socket, endpoint) == 0 else { throw SocketFailure("listen on \(endpoint)") }
        var name = [CChar](repeating: 0, count: 256)
        var length = name.count
        guard zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, &name, &length) == 0 else {
            throw SocketFailure("listen on \(endpoint)")
        }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func unbind(_ endpoint: String) {
        // It can only fail for an endpoint that is not bound, which is what was wanted.
        zmq_unbind(socket, endpoint)
    }

    func connect(_ endpoint: String) throws(SocketFailure) {
        guard zmq_connect(socket, endpoint) == 0 else { throw SocketFailure("connect to \(endpoint)") }
    }

    func linger(_ duration: Duration) throws(SocketFailure) {
        try set(ZMQ_LINGER, Int32(clamping: duration.millisecondsRoundedUp))
    }

    /// Waits until a message can be read, the other file descriptor has something, or time is up.
    func waitToReceive(or wake: CInt, timeout: Duration) throws(SocketFailure) {
        var items = [
            zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
            zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0),
        ]
        let result = zmq_poll(&items, CInt(items.count), Int(clamping: timeout.millisecondsRoundedUp))
        guard result >= 0 || zmq_errno() == EINTR else { throw SocketFailure("wait for messages") }
    }

    /// Takes one message if one is there, all its parts; a message is never there in part.
    func receive(keepingBytes bytesMax: Int) throws(SocketFailure) -> IntakeMessage? {
        var bytes: [UInt8] = []
        var parts = 0
        var byteCount = 0
        var frame = zmq_msg_t()
        zmq_msg_init(&frame)
        defer { zmq_msg_close(&frame) }
        repeat {
            while zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN where parts == 0: return nil
                default: throw SocketFailure("receive")
                }
            }
            let size = zmq_msg_size(&frame)
            let kept = min(size, bytesMax - bytes.count)
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: zmq_msg_data(&frame), count: kept))
            parts += 1
            byteCount += size
        } while zmq_msg_more(&frame) != 0
        return IntakeMessage(bytes: bytes, parts: parts, byteCount: byteCount)
    }

    /// False when the message could not be queued in time.
    func send(_ parts: [[UInt8]], timeout: Duration) throws(SocketFailure) -> Bool {
        try set(ZMQ_SNDTIMEO, Int32(clamping: timeout.millisecondsRoundedUp))
        for (place, part) in parts.enumerated() {
            let flags = place < parts.count - 1 ? ZMQ_SNDMORE : 0
            while part.withUnsafeBytes({ zmq_send(socket, $0.baseAddress, $0.count, flags) }) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN: return false
                default: throw SocketFailure("send")
                }
            }
        }
        return true
    }

    private func set<Value: FixedWidthInteger>(_ option: Int32, _ value: Value) throws(SocketFailure) {
        var value = value
        guard zmq_setsockopt(socket, option, &value, MemoryLayout<Value>.size) == 0 else {
            throw SocketFailure("set up a socket")
        }
    }
}

extension Duration {
    /// Never less than asked for, so that nobody spins through the last fraction of a millisecond.
    fileprivate var millisecondsRoundedUp: Int64 {
        let (seconds, attoseconds) = components
        let scaled = max(0, seconds).multipliedReportingOverflow(by: 1_000)
        guard !scaled.overflow else { return .max }
        let milliseconds = max(0, attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return scaled.partialValue.addingReportingOverflow(milliseconds).overflow
            ? .max : scaled.partialValue + milliseconds
    }
}
