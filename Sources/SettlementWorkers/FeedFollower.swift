import Repository
import ServiceKit
import TradeModel

/// Follows the output of an engine: takes the stream's lease, asks for what comes behind the watermark, brings it to
/// the pool, and moves the watermark over what is done.
///
/// The watermark is written behind committed work, never before, so that after any crash some records come again, and
/// have no effect. Of several workers one has the lease; the others stand by, and take over when it is silent.
actor FeedFollower: SettlementService.Source {
    /// A stretch of following, from a lease to its end.
    private struct Session {
        let lease: FeedLease
        let records: any FeedRecords
        var engineEpoch: UInt64
        /// The newest record that the feed has told of.
        var newest: Int64
        var written: FeedWatermark.Mark
        /// Nil once there is something to say at once.
        var writtenAt: ContinuousClock.Instant?
        /// Whether the feed has answered.
        var isHeard = false
    }

    private static let pause = Duration.milliseconds(250)
    private static let retryPauseMax = Duration.seconds(5)
    private static let writeInterval = Duration.milliseconds(50)
    /// When the feed was last heard is written so often, where nothing else is.
    private static let signIntervalMax = Duration.seconds(3)

    private let connector: any FeedConnector
    private let control: ControlConnection
    private let log: Log
    /// The time after which a lease is nobody's, if it was not kept.
    private let leaseTime: Duration
    private var session: Session?
    /// Under which we were last, and mean to try again.
    private var pausedLease: FeedLease?
    private var isStopping = false
    private var standsBy = false
    /// What keeps us from following, and whether something keeps us from writing: said once, not at each try.
    private var trouble: String?
    private var isUnwritten = false
    private var retryPause = FeedFollower.pause
    private var resumeAt = ContinuousClock.now
    /// What the books have refused of what the engine did.
    private nonisolated let refusal = Guarded<String?>(nil)
    /// What is in work; touched by workers as they commit.
    private nonisolated let watermark = Guarded(FeedWatermark(at: .init(sequence: 0, hash: 0)))

    nonisolated var isReplayable: Bool { true }

    init(_ connector: any FeedConnector, control: ControlConnection, limits: Limits, log: Log) {
        self.connector = connector
        self.control = control
        self.log = log
        leaseTime = .milliseconds(limits.heartbeatTimeoutMilliseconds)
    }

    // MARK: Taking in

    func next() async throws -> [SettlementItem]? {
        guard !isStopping else { return nil }
        guard let session else {
            await begin()
            return []
        }
        do {
            if let reason = refusal.withLock({ $0 }) { throw FeedStop.halted(reason) }
            let page = try await session.records.next()
            let isAnswered = if session.isHeard { true } else { await session.records.heardAt != nil }
            // The session may have ended meanwhile; then its records are another's.
            guard self.session?.lease == session.lease, !isStopping else { return [] }
            if isAnswered, !session.isHeard { begun(session.lease) }
            self.session?.engineEpoch = max(session.engineEpoch, page.engineEpoch)
            self.session?.newest = max(session.newest, page.newest)
            for listing in page.records.compactMap(\.listing) { try await enter(listing) }
            watermark.withLock { watermark in
                for record in page.records { watermark.begin(hash: record.hash, itemCount: record.items.count) }
            }
            return page.records.flatMap(\.items)
        } catch let stop as FeedStop {
            await end(because: stop)
            return []
        }
    }

    /// Makes an asset or a market known to the books before anything is settled in it.
    private func enter(_ listing: Listing) async throws {
        let conflict: String?
        do { conflict = try await control.enter(listing) } catch { throw FeedStop.later("\(error)") }
        if let conflict { throw FeedStop.halted(conflict) }
    }

    func stop() {
        isStopping = true
    }

    /// Takes note of what has come to its end.
    ///
    /// A trade that was rejected waits as a letter. A change of money by the engine that the books refuse waits
    /// nowhere, and what follows rests on it: the stream ends before it.
    nonisolated func note(_ completions: [Completion]) {
        for completion in completions {
            guard case .feed(let place) = completion.item.origin else { continue }
            if case .operation = completion.item.subject, case .rejected(let rejection) = completion.outcome {
                let reason = "record \(place.sequence), \(completion.item.name): \(rejection.message)"
                refusal.withLock { $0 = $0 ?? reason }
                watermark.withLock { $0.stick() }
            } else {
                watermark.withLock { $0.complete(place.sequence) }
            }
        }
    }

    // MARK: The lease

    /// Takes the stream, or waits a moment to try again.
    private func begin() async {
        guard resumeAt <= .now else { return await rest(Self.pause) }
        // What an earlier session began ends first, so that its marks are not taken for those of a later one.
        guard watermark.withLock({ $0.isIdle }) else { return await rest(Self.pause) }
        let lease: FeedLease
        do {
            guard let found = try await control.lease(connector.stream) else {
                if !standsBy { log.info("stands by for the feed", ["stream": connector.stream.text]) }
                standsBy = true
                return await rest(Self.pause)
            }
            lease = found
            pausedLease = nil
        } catch {
            return failed("\(error)")
        }
        do {
            let records = try await connector.follow(lease)
            let mark = FeedWatermark.Mark(sequence: lease.sequence, hash: lease.hash)
            watermark.withLock { $0 = FeedWatermark(at: mark) }
            refusal.withLock { $0 = nil }
            session = Session(
                lease: lease, records: records, engineEpoch: lease.engineEpoch, newest: lease.sequence,
                written: mark, writtenAt: .now)
            standsBy = false
        } catch {
            await giveUp(lease, because: error)
        }
    }

    /// The feed has answered: only then it is followed, whoever has the lease.
    private func begun(_ lease: FeedLease) {
        session?.isHeard = true
        session?.writtenAt = nil
        trouble = nil
        retryPause = Self.pause
        log.info("follows the feed", ["stream": connector.stream.text, "after": "\(lease.sequence)"])
    }

    /// Ends a session that cannot go on.
    private func end(because stop: FeedStop) async {
        guard let session else { return }
        await session.records.stop()
        // What is in work ends first, so that whoever follows next need not do it again.
        while !isStopping, self.session?.lease == session.lease, !watermark.withLock({ $0.isIdle }) {
            await rest(Self.writeInterval)
        }
        await write()
        guard !isStopping, self.session?.lease == session.lease else { return }
        self.session = nil
        // What the books refused meanwhile stands before anything that the feed said since.
        await giveUp(session.lease, because: refusal.withLock { $0 }.map { .halted($0) } ?? stop)
    }

    private func giveUp(_ lease: FeedLease, because stop: FeedStop) async {
        if case .later(let text) = stop {
            pausedLease = lease
            failed(text)
        } else {
            log.error(
                "the feed is halted until an operator has looked",
                ["stream": connector.stream.text, "reason": stop.reason])
        }
        do { try await control.giveUp(connector.stream, lease, because: stop) } catch { failed("\(error)") }
    }

    private func failed(_ reason: String) {
        if trouble != reason {
            log.warning("cannot follow the feed", ["stream": connector.stream.text, "reason": reason])
        }
        trouble = reason
        resumeAt = .now + retryPause
        retryPause = min(retryPause * 2, Self.retryPauseMax)
    }

    private func rest(_ pause: Duration) async {
        try? await Task.sleep(for: pause)
    }

    // MARK: The watermark

    /// Writes the watermark as it moves and keeps the lease, until cancelled.
    nonisolated func keep() async {
        while (try? await Task.sleep(for: Self.writeInterval)) != nil { await write() }
    }

    /// Writes where the work has come to, for the last time, and lets others follow.
    func finish() async {
        await write()
        guard let lease = session?.lease ?? pausedLease else { return }
        let records = session?.records
        session = nil
        await records?.stop()
        try? await control.giveUp(connector.stream, lease)
    }

    private func write() async {
        guard let session else { return }
        let mark = watermark.withLock { $0.mark }
        let rests =
            session.writtenAt.map { ContinuousClock.now - $0 < min(leaseTime / 3, Self.signIntervalMax) } ?? false
        guard mark != session.written || !rests else { return }
        let silence = await session.records.heardAt.map { ContinuousClock.now - $0 }
        do {
            let isOurs = try await control.advance(
                connector.stream, session.lease, to: mark, engineEpoch: session.engineEpoch, newest: session.newest,
                silence: silence)
            guard self.session?.lease == session.lease else { return }
            guard isOurs else {
                log.warning(
                    "the lease of the feed is lost: another worker follows, or the connection was another one",
                    ["stream": connector.stream.text])
                self.session = nil
                return await session.records.stop()
            }
            self.session?.written = mark
            self.session?.writtenAt = .now
            isUnwritten = false
            if mark.sequence > session.written.sequence { await session.records.acknowledge(mark.sequence) }
        } catch {
            if !isUnwritten {
                log.warning("cannot write the watermark", ["stream": connector.stream.text, "reason": "\(error)"])
            }
            isUnwritten = true
        }
    }
}
