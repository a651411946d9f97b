import TradeModel

extension FeedSessions {
    /// Whose turn it is to get something, if anybody can: all in turn, a batch each.
    public mutating func nextRead(newest: Int64, now: Instant) -> Read? {
        let shared = sharedUpTo
        for _ in 0..<turns.count {
            if turn >= turns.count { turn = 0 }
            let name = turns[turn]
            turn += 1
            guard let session = consumers[name]?.session, (session.fullUntil ?? now) <= now else { continue }
            let last = session.isReplica ? newest : min(newest, shared)
            // Whether it can be served at all is looked at without credit.
            if !session.isChecked || (session.next <= last && session.mayReceive(now)) {
                return Read(consumer: name, subscription: session.subscription, first: session.next, last: last)
            }
        }
        return nil
    }

    /// What the consumer gets, now that the log was read for it.
    public mutating func answer(
        _ read: Read, _ result: Result<RecordRun, LogFailure>, extent: LogExtent, now: Instant
    ) -> Outgoing? {
        guard let session = consumers[read.consumer]?.session, session.subscription == read.subscription else {
            return nil
        }
        switch result {
        case .failure(let failure):
            close(read.consumer)
            let reason: FeedMessage.Reason =
                switch failure {
                case .notKept: .notKept
                case .ahead: .ahead
                default: .unavailable
                }
            return refuse(session.route, session.subscription, reason, "\(failure)", extent: extent)
        case .success(let run):
            if let hash = session.hash, hash != run.start.hash {
                close(read.consumer)
                let text = "the hash at record \(run.start.sequence) is \(run.start.hash) here, and \(hash) there"
                var position = extent
                position.newest = run.start
                return refuse(session.route, session.subscription, .hashDiffers, text, extent: position)
            }
            consumers[read.consumer]?.session?.hash = nil
            consumers[read.consumer]?.session?.isChecked = true
            guard !run.isEmpty, session.mayReceive(now) else {
                // The first answer says that the subscription stands.
                consumers[read.consumer]?.session?.lastSent = now
                return Outgoing(route: session.route, message: heartbeat(session, extent))
            }
            let batch = FeedMessage.Batch(
                subscription: session.subscription, stream: stream, epoch: epoch, newest: extent.newest.sequence,
                run: run)
            return Outgoing(route: session.route, message: .batch(batch))
        }
    }

    /// The batch has left.
    public mutating func sent(_ read: Read, _ run: RecordRun, now: Instant) {
        counts.batches += 1
        counts.records += run.records.count
        counts.bytes += run.records.byteCount
        guard consumers[read.consumer]?.session?.subscription == read.subscription else { return }
        consumers[read.consumer]?.session?.advance(over: run, now)
    }

    /// The connection of the consumer has no room: it is tried again after a moment.
    public mutating func full(_ read: Read, now: Instant) {
        counts.full += 1
        guard consumers[read.consumer]?.session?.subscription == read.subscription else { return }
        consumers[read.consumer]?.session?.fullUntil = now + .milliseconds(settings.fullPauseMilliseconds)
    }

    /// The connection of the consumer is gone; it asks again from the next one.
    public mutating func unreachable(_ route: Route) {
        for (name, consumer) in consumers where consumer.session?.route == route { close(name) }
    }

    /// Sends what is due by the clock, and forgets who was silent too long.
    public mutating func tick(extent: LogExtent, now: Instant) -> [Outgoing] {
        lookAfterReplicas(newest: extent.newest.sequence, now: now)
        var outgoing: [Outgoing] = []
        for (name, consumer) in consumers {
            guard let session = consumer.session else { continue }
            if now - session.lastHeard >= .milliseconds(settings.silenceMilliseconds) {
                counts.silent += 1
                close(name)
            } else if now - session.lastSent >= .milliseconds(settings.heartbeatMilliseconds) {
                consumers[name]?.session?.lastSent = now
                if session.isChecked {
                    outgoing.append(Outgoing(route: session.route, message: heartbeat(session, extent)))
                }
            }
        }
        return outgoing
    }

    private func heartbeat(_ session: Session, _ extent: LogExtent) -> FeedMessage {
        .heartbeat(
            FeedMessage.Heartbeat(
                subscription: session.subscription, epoch: epoch, newest: extent.newest, sent: session.next - 1))
    }
}

extension FeedSessions.Session {
    fileprivate mutating func advance(over run: RecordRun, _ now: FeedSessions.Instant) {
        next = run.end.sequence + 1
        sent += 1
        outstanding.append(run.records.byteCount)
        outstandingBytes += run.records.byteCount
        lastSent = now
        fullUntil = nil
    }
}
