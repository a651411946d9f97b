import ServiceKit

/// Owns the publisher's socket, on a thread of its own.
actor PublisherLoop {
    /// Messages that are read before the next batch is sent: who floods the publisher does not stop the stream.
    private static let messagesPerRound = 64
    private static let batchesPerRound = 64
    /// How old what others see of the consumers may be.
    private static let statusMilliseconds = 50
    /// How often at most the places of consumers are written, unless there is a new one.
    private static let placesMilliseconds = 1_000
    /// How often at most the log tells of messages that were refused.
    private static let quietSeconds = 10

    private var socket: ZeroMQSocket?
    private var sessions: FeedSessions
    private let log: any RecordLog
    private let onlyDurable: Bool
    private let placeFile: FeedPlaceFile?
    private let control: FeedPublisher.Control
    private let diagnostics: Log
    private let clock = ContinuousClock()
    private let executor = BlockingExecutor(label: "settle.feed.publisher")
    private var statusCounts = FeedCounts()
    private var statusDue = ContinuousClock.now
    private var savedPlaces: [FeedPlace]
    private var arePlacesNew = false
    private var placesDue = ContinuousClock.now
    private var told = FeedCounts()
    private var quietUntil: ContinuousClock.Instant?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        socket: consuming ZeroMQSocket, sessions: FeedSessions, log: any RecordLog, onlyDurable: Bool,
        placeFile: FeedPlaceFile?, control: FeedPublisher.Control, diagnostics: Log
    ) {
        self.socket = consume socket
        self.sessions = sessions
        self.log = log
        self.onlyDurable = onlyDurable
        self.placeFile = placeFile
        savedPlaces = sessions.places
        self.control = control
        self.diagnostics = diagnostics
    }

    func run() throws {
        defer {
            socket = nil
            _ = savePlaces(isLast: true)
        }
        guard let epoch = try waitToBegin() else { return }
        sessions.epoch = epoch
        while !control.state.withLock({ $0.isStopped }) {
            let isBusy = try round()
            publishStatus()
            tellOfRefusals()
            guard !isBusy else { continue }
            // Who adds records from here on wakes the wait; who did so just before is seen by the look behind it.
            let seen = published.newest
            control.sleeps.store(true, ordering: .sequentiallyConsistent)
            defer { control.sleeps.store(false, ordering: .sequentiallyConsistent) }
            guard published.newest == seen, sessions.nextRead(newest: seen.sequence, now: clock.now) == nil else {
                continue
            }
            let deadlines = [sessions.deadline, statusDeadline].compactMap { $0 }
            let timeout = deadlines.min().map { max(.zero, clock.now.duration(to: $0)) } ?? .seconds(3_600)
            try socket?.waitToReceive(or: control.wake.descriptor, timeout: timeout)
            control.wake.clear()
        }
    }

    /// The epoch under which it may publish; nil when it is stopped before. Who asks meanwhile asks again.
    private func waitToBegin() throws -> UInt64? {
        while true {
            let (isStopped, epoch) = control.state.withLock { ($0.isStopped, $0.epoch) }
            if isStopped { return nil }
            if let epoch { return epoch }
            // What nobody took would lie there for good.
            var messages = 0
            while messages < Self.messagesPerRound, try socket?.receiveFrame(routed: true) ?? nil != nil {
                messages += 1
            }
            try socket?.waitToReceive(or: control.wake.descriptor, timeout: .seconds(3_600))
            control.wake.clear()
        }
    }

    /// What consumers may see.
    private var published: LogExtent {
        var extent = log.extent
        if onlyDurable { extent.newest = extent.durable }
        return extent
    }

    /// Reads what came, sends what can be sent; whether there may be more of either.
    private func round() throws -> Bool {
        var messages = 0
        while messages < Self.messagesPerRound, let frame = try socket?.receiveFrame(routed: true) ?? nil {
            messages += 1
            switch frame.message() {
            case .success(let message): try send(sessions.receive(message, from: frame.route, now: clock.now))
            case .failure(let fault): try send(sessions.malformed(fault, from: frame.route))
            }
        }
        try send(sessions.tick(extent: published, now: clock.now))
        var batches = 0
        while batches < Self.batchesPerRound,
            let read = sessions.nextRead(newest: published.newest.sequence, now: clock.now)
        {
            batches += 1
            try serve(read)
        }
        return messages == Self.messagesPerRound || batches == Self.batchesPerRound
    }

    private func serve(_ read: FeedSessions.Read) throws {
        let result = records(for: read)
        if case .failure(let failure) = result, failure.isOfTheLog {
            diagnostics.error("feed_log_unreadable", ["reason": failure.description])
        }
        guard let outgoing = sessions.answer(read, result, extent: published, now: clock.now) else { return }
        guard case .batch(let batch) = outgoing.message else { return try send([outgoing]) }
        let bytes = batch.run.records.bytes
        switch try socket!.sendNow(outgoing.message.encodeHead(), bytes, to: outgoing.route) {
        case .done: sessions.sent(read, batch.run, now: clock.now)
        case .full: sessions.full(read, now: clock.now)
        case .unreachable: sessions.unreachable(outgoing.route)
        }
    }

    private func records(for read: FeedSessions.Read) -> Result<RecordRun, LogFailure> {
        let extent = published
        guard read.first <= extent.newest.sequence + 1 else {
            return .failure(.ahead(read.first, newest: extent.newest.sequence))
        }
        let room = max(0, min(read.last, extent.newest.sequence) - read.first + 1)
        let settings = sessions.settings
        return Result { () throws(LogFailure) in
            var run = try log.read(
                from: read.first, recordsMax: Int(max(1, min(Int64(settings.batchRecordsMax), room))),
                bytesMax: settings.batchBytesMax)
            // Of what is there but not published yet, only the place before it is told.
            if room == 0 { run = RecordRun(start: run.start, records: RecordBuffer()) }
            return run
        }
    }

    /// Sends answers and heartbeats. One for which there is no room is not missed: the consumer asks again, or hears
    /// the next one.
    private func send(_ outgoing: [FeedSessions.Outgoing]) throws(SocketFailure) {
        for one in outgoing {
            if case .unreachable = try socket!.sendNow(one.message.encode(), [], to: one.route) {
                sessions.unreachable(one.route)
            }
        }
    }

    /// When others are to see something new, if there is anything.
    private var statusDeadline: ContinuousClock.Instant? {
        sessions.counts != statusCounts ? statusDue : arePlacesNew ? placesDue : nil
    }

    /// Not each time, as it takes longer with each consumer.
    private func publishStatus() {
        let forgotten = control.state.withLock { state in
            defer { state.forgotten = [] }
            return state.forgotten
        }
        for consumer in forgotten where sessions.forget(consumer) {
            statusDue = clock.now
            diagnostics.info("feed_consumer_forgotten", ["consumer": consumer.text])
        }
        guard let due = statusDeadline, due <= clock.now else { return }
        statusCounts = sessions.counts
        statusDue = clock.now + .milliseconds(Self.statusMilliseconds)
        let (status, counts, keptFrom) = (sessions.status, sessions.counts, savePlaces())
        control.state.withLock { state in
            state.status = status
            state.counts = counts
            state.keptFrom = keptFrom
        }
    }

    /// Answers what need not be kept according to what is remembered.
    private func savePlaces(isLast: Bool = false) -> Int64? {
        guard let placeFile else { return sessions.keptFrom }
        let places = sessions.places
        arePlacesNew = places != savedPlaces
        let isOther = places.map(\.consumer) != savedPlaces.map(\.consumer)
        if arePlacesNew, isOther || isLast || placesDue <= clock.now {
            placesDue = clock.now + .milliseconds(Self.placesMilliseconds)
            do {
                try placeFile.save(places)
                savedPlaces = places
                arePlacesNew = false
            } catch {
                diagnostics.error("feed_places_not_saved", ["reason": error.description])
            }
        }
        // Where it is not remembered that there is a consumer, nothing may go that it needs.
        return (savedPlaces + places).map { $0.acknowledged + 1 }.min()
    }

    private func tellOfRefusals() {
        let counts = sessions.counts
        guard counts.malformed > told.malformed || counts.refused > told.refused, (quietUntil ?? clock.now) <= clock.now
        else { return }
        diagnostics.warning(
            "feed_messages_refused",
            [
                "malformed": String(counts.malformed - told.malformed),
                "refused": String(counts.refused - told.refused),
            ])
        told = counts
        quietUntil = clock.now + .seconds(Self.quietSeconds)
    }
}

extension LogFailure {
    /// Whether the log itself is at fault, and not what was asked of it.
    fileprivate var isOfTheLog: Bool {
        switch self {
        case .notKept, .ahead: false
        default: true
        }
    }
}
