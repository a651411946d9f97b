import ServiceKit

/// Owns the consumer's socket, on a thread of its own.
actor ConsumerLoop {
    private static let messagesPerRound = 64
    /// How long the last word may take to leave.
    private static let leaveMilliseconds = 100

    private let endpoint: String
    private var socket: ZeroMQSocket?
    private var cursor: FeedCursor
    /// What could not be sent yet, no more than one of a kind.
    private var outbox: [FeedMessage] = []
    private var failure: FeedFailure?
    private let inbox: FeedInbox
    private let diagnostics: Log
    private let clock = ContinuousClock()
    private let executor = BlockingExecutor(label: "settle.feed.consumer")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(endpoint: String, cursor: FeedCursor, inbox: FeedInbox, diagnostics: Log) throws(SocketFailure) {
        self.endpoint = endpoint
        self.cursor = cursor
        self.inbox = inbox
        self.diagnostics = diagnostics
        socket = try Self.connect(endpoint)
    }

    func run() throws {
        defer { socket = nil }
        do {
            try follow()
            inbox.finish(.stopped)
        } catch {
            inbox.finish(.failed(error))
            throw error
        }
    }

    private func follow() throws {
        while true {
            let progress = inbox.progress()
            for run in progress.taken { try perform(cursor.took(run, now: clock.now)) }
            if let sequence = progress.acknowledged { try perform(cursor.acknowledge(sequence, now: clock.now)) }
            if progress.isStopped {
                inbox.update(status)
                return try leave()
            }
            let isBusy = try receive()
            try perform(cursor.tick(now: clock.now))
            inbox.update(status)
            if let failure { throw failure }
            try flush()
            guard !isBusy else { continue }
            let timeout = cursor.deadline.map { max(.zero, clock.now.duration(to: $0)) } ?? .zero
            try socket?.waitToReceive(or: inbox.wake.descriptor, orToSend: !outbox.isEmpty, timeout: timeout)
            inbox.wake.clear()
        }
    }

    private var status: FeedConsumer.Status {
        var status = FeedConsumer.Status()
        status.isFollowing = cursor.isFollowing
        status.received = cursor.received.sequence
        status.taken = cursor.taken.sequence
        status.acknowledged = cursor.durable
        status.newest = cursor.newest
        status.epoch = cursor.epoch
        status.heardAt = cursor.heardAt
        status.refusal = cursor.refusal
        status.counts = cursor.counts
        return status
    }

    /// Whether there may be more.
    private func receive() throws -> Bool {
        for _ in 0..<Self.messagesPerRound {
            guard failure == nil, let frame = try socket?.receiveFrame(routed: false) ?? nil else { return false }
            switch frame.message() {
            case .success(let message):
                if case .refused(let refused) = message {
                    diagnostics.warning(
                        "feed_refused", ["reason": "\(refused.reason)", "endpoint": endpoint, "text": refused.text])
                }
                try perform(cursor.receive(message, now: clock.now))
            case .failure(let fault): try perform(cursor.malformed(fault))
            }
        }
        return true
    }

    private func perform(_ actions: [FeedCursor.Action]) throws(SocketFailure) {
        for action in actions {
            switch action {
            case .send(let message): enqueue(message)
            case .deliver(let run): inbox.deliver(run, status)
            case .reconnect:
                diagnostics.debug("feed_silent", ["endpoint": endpoint])
                outbox = []
                socket = nil
                socket = try Self.connect(endpoint)
            case .stop(let failure): self.failure = failure
            }
        }
    }

    /// The newest of its kind replaces an older one, as they hold totals; asking anew replaces everything.
    private func enqueue(_ message: FeedMessage) {
        if case .subscribe = message { outbox = [] }
        outbox.removeAll { $0.kind == message.kind }
        outbox.append(message)
    }

    private func flush() throws(SocketFailure) {
        while let message = outbox.first {
            // Where there is no room, the wait is for room, too.
            guard case .done = try socket!.sendNow(message.encode(), [], to: nil) else { return }
            outbox.removeFirst()
        }
    }

    private func leave() throws(SocketFailure) {
        for action in cursor.stop() {
            if case .send(let message) = action { enqueue(message) }
        }
        try flush()
        try socket?.linger(.milliseconds(Self.leaveMilliseconds))
    }

    private static func connect(_ endpoint: String) throws(SocketFailure) -> ZeroMQSocket {
        let socket = try ZeroMQSocket.open(
            .dealer, highWater: Int32(2 * FeedLimits.creditBatchesMax),
            messageBytesMax: Int64(FeedLimits.messageBytesMax))
        try socket.connect(endpoint)
        return socket
    }
}
