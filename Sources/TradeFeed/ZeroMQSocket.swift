import CZeroMQ
import Glibc

/// What libzmq refused to do, in one line: `cannot listen on tcp://127.0.0.1:5558 (Address already in use)`.
public struct SocketFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var action: String
    public var reason: String

    public var description: String { "cannot \(action) (\(reason))" }

    init(_ action: String, reason: String) {
        self.action = action
        self.reason = reason
    }

    fileprivate init(_ action: String, code: CInt = zmq_errno()) {
        self.init(action, reason: String(cString: zmq_strerror(code)))
    }
}

/// A libzmq socket in a context of its own. It is not thread-safe: whoever owns it calls it from one place.
package struct ZeroMQSocket: ~Copyable {
    package enum Pattern {
        case push, pull
        /// The feed's two ends: one that answers many, and one that asks.
        case router, dealer
        /// Market data's two ends: one that tells whoever listens, and one that listens.
        case publisher, subscriber

        fileprivate var code: CInt {
            switch self {
            case .push: ZMQ_PUSH
            case .pull: ZMQ_PULL
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .publisher: ZMQ_PUB
            case .subscriber: ZMQ_SUB
            }
        }
    }

    /// What became of a message that could not wait.
    package enum Sent {
        case done
        /// There is no room for it now.
        case full
        /// Nobody is there any more.
        case unreachable
    }

    private let context: UnsafeMutableRawPointer
    private let socket: UnsafeMutableRawPointer

    private init(context: UnsafeMutableRawPointer, socket: UnsafeMutableRawPointer) {
        self.context = context
        self.socket = socket
    }

    /// The high-water mark is in messages and holds for each connection; nil for a size means any.
    package static func open(
        _ pattern: Pattern, highWater: Int32, messageBytesMax: Int64?
    ) throws(SocketFailure) -> ZeroMQSocket {
        guard let context = zmq_ctx_new() else { throw SocketFailure("start libzmq") }
        guard let handle = zmq_socket(context, pattern.code) else {
            let failure = SocketFailure("open a socket")
            zmq_ctx_term(context)
            throw failure
        }
        let socket = ZeroMQSocket(context: context, socket: handle)
        try socket.set(ZMQ_RCVHWM, highWater)
        try socket.set(ZMQ_SNDHWM, highWater)
        // What cannot be sent is told, instead of dropped.
        if pattern == .router { try socket.set(ZMQ_ROUTER_MANDATORY, 1 as Int32) }
        if pattern == .dealer {
            // Nothing waits for a connection that may never come.
            try socket.set(ZMQ_IMMEDIATE, 1 as Int32)
            try socket.set(ZMQ_RECONNECT_IVL, 50 as Int32)
            try socket.set(ZMQ_RECONNECT_IVL_MAX, 1_000 as Int32)
        }
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
    ///
    /// What is in use is tried again for a little while: a program that is just being started has a copy of a listener
    /// that was closed already.
    package func bind(_ endpoint: String) throws(SocketFailure) -> String {
        let deadline = ContinuousClock.now + .milliseconds(250)
        while true {
            let isTaken = LocalSocket.isListening(at: endpoint)
            if !isTaken, zmq_bind(socket, endpoint) == 0 { break }
            let code = isTaken ? EADDRINUSE : zmq_errno()
            guard code == EADDRINUSE, .now < deadline else {
                throw SocketFailure("listen on \(endpoint)", code: code)
            }
            usleep(10_000)
        }
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

    package func connect(_ endpoint: String) throws(SocketFailure) {
        guard zmq_connect(socket, endpoint) == 0 else { throw SocketFailure("connect to \(endpoint)") }
    }

    /// Hears of what begins so, from a publisher.
    func subscribe(to beginning: String) throws(SocketFailure) {
        guard zmq_setsockopt(socket, ZMQ_SUBSCRIBE, beginning, beginning.utf8.count) == 0 else {
            throw SocketFailure("subscribe")
        }
    }

    func linger(_ duration: Duration) throws(SocketFailure) {
        try set(ZMQ_LINGER, Int32(clamping: duration.millisecondsRoundedUp))
    }

    /// Waits until a message can be read (or sent, if that is asked for), the other file descriptor has something, or
    /// time is up.
    package func waitToReceive(
        or wake: CInt, orToSend: Bool = false, timeout: Duration
    ) throws(SocketFailure) {
        let events = Int16(ZMQ_POLLIN | (orToSend ? ZMQ_POLLOUT : 0))
        var items = [
            zmq_pollitem_t(socket: socket, fd: 0, events: events, revents: 0),
            zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0),
        ]
        let result = zmq_poll(&items, CInt(items.count), Int(clamping: timeout.millisecondsRoundedUp))
        guard result >= 0 || zmq_errno() == EINTR else { throw SocketFailure("wait for messages") }
    }

    /// Takes one message if one is there, all its parts; a message is never there in part.
    func receive(keepingBytes bytesMax: Int) throws(SocketFailure) -> IntakeMessage? {
        var bytes: [UInt8] = []
        var byteCount = 0
        let parts = try receiveParts { _, content in
            bytes.append(contentsOf: content.prefix(bytesMax - bytes.count))
            byteCount += content.count
        }
        return parts == 0 ? nil : IntakeMessage(bytes: bytes, parts: parts, byteCount: byteCount)
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

    /// Takes one message if one is there: the first part where there is a route or a subject, and the only one behind
    /// it.
    ///
    /// Of a message of more parts, only their number is kept.
    package func receiveFrame(routed: Bool) throws(SocketFailure) -> FeedFrame? {
        var route: [UInt8] = []
        var bytes: [UInt8] = []
        let parts = try receiveParts { place, content in
            if routed, place == 0 { route = Array(content) } else if bytes.isEmpty { bytes = Array(content) }
        }
        return parts == 0 ? nil : FeedFrame(route: route, bytes: bytes, parts: routed ? parts - 1 : parts)
    }

    /// Takes one message part by part, and says how many it had; none if there is no message.
    private func receiveParts(_ take: (Int, UnsafeRawBufferPointer) -> Void) throws(SocketFailure) -> Int {
        var parts = 0
        var frame = zmq_msg_t()
        zmq_msg_init(&frame)
        defer { zmq_msg_close(&frame) }
        repeat {
            while zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN where parts == 0: return 0
                default: throw SocketFailure("receive")
                }
            }
            take(parts, UnsafeRawBufferPointer(start: zmq_msg_data(&frame), count: zmq_msg_size(&frame)))
            parts += 1
        } while zmq_msg_more(&frame) != 0
        return parts
    }

    /// Sends a message of one part, made of two pieces, if there is room for it; to a route where the socket has many,
    /// or under a subject.
    package func sendNow(_ head: [UInt8], _ body: ArraySlice<UInt8>, to route: [UInt8]?) throws(SocketFailure) -> Sent {
        if let route {
            while route.withUnsafeBytes({ zmq_send(socket, $0.baseAddress, $0.count, ZMQ_SNDMORE | ZMQ_DONTWAIT) }) < 0
            {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN: return .full
                case EHOSTUNREACH: return .unreachable
                default: throw SocketFailure("send")
                }
            }
        }
        var message = zmq_msg_t()
        guard zmq_msg_init_size(&message, head.count + body.count) == 0 else { throw SocketFailure("send") }
        let content = UnsafeMutableRawBufferPointer(start: zmq_msg_data(&message), count: head.count + body.count)
        content.copyBytes(from: head)
        UnsafeMutableRawBufferPointer(rebasing: content[head.count...]).copyBytes(from: body)
        while zmq_msg_send(&message, socket, ZMQ_DONTWAIT) < 0 {
            let code = zmq_errno()
            if code == EINTR { continue }
            let failure = SocketFailure("send")
            zmq_msg_close(&message)
            switch code {
            // Where the route was taken, all parts are.
            case EAGAIN where route == nil: return .full
            case EHOSTUNREACH: return .unreachable
            default: throw failure
            }
        }
        return .done
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
