extension FeedCursor {
    /// Judges what the publisher says.
    public mutating func receive(_ message: FeedMessage, now: Instant) -> [Action] {
        if case .stopped = phase { return [] }
        heardAt = now
        switch message {
        case .batch(let batch):
            guard isCurrent(batch.subscription, epoch: batch.epoch) else { return [] }
            return receive(batch, now)
        case .heartbeat(let heartbeat):
            guard isCurrent(heartbeat.subscription, epoch: heartbeat.epoch) else { return [] }
            return receive(heartbeat, now)
        case .refused(let refused):
            guard refused.reason == .otherVersion || refused.subscription == subscription else {
                counts.late += 1
                return []
            }
            return receive(refused, now)
        case .subscribe, .credit, .ack, .alive, .leave:
            counts.malformed += 1
            return []
        }
    }

    /// Takes note of bytes that are no message.
    public mutating func malformed(_ fault: MalformedFeedMessage) -> [Action] {
        counts.malformed += 1
        if case .otherVersion = fault { return fail(.otherVersion("the publisher speaks \(fault)")) }
        return []
    }

    private mutating func isCurrent(_ subscription: FeedSubscription, epoch: UInt64) -> Bool {
        guard subscription == self.subscription, epoch >= self.epoch else {
            counts.late += 1
            return false
        }
        if case .pausing = phase { return false }
        self.epoch = epoch
        return true
    }

    private mutating func receive(_ batch: FeedMessage.Batch, _ now: Instant) -> [Action] {
        let run = batch.run
        if let stream, stream != batch.stream {
            return fail(.otherStream("the stream there is \(batch.stream), not \(stream)"))
        }
        stream = batch.stream
        lastHeard = now
        newest = max(newest, batch.newest)
        if run.end.sequence <= received.sequence {
            counts.duplicates += 1
            return []
        }
        if run.start.sequence > received.sequence {
            counts.gaps += 1
            return askAgain(now)
        }
        guard run.start.sequence == received.sequence, !isHashKnown || run.start.hash == received.hash,
            run.isConsistent
        else { return damaged(run, now: now) }
        return accept(run, now: now)
    }

    private mutating func receive(_ heartbeat: FeedMessage.Heartbeat, _ now: Instant) -> [Action] {
        lastHeard = now
        newest = max(newest, heartbeat.newest.sequence)
        if heartbeat.sent > received.sequence {
            counts.gaps += 1
            return askAgain(now)
        }
        if isHashKnown, heartbeat.newest.sequence == received.sequence, heartbeat.newest.hash != received.hash {
            // Asking with the hash has the publisher look at its own.
            return askAgain(now)
        }
        isWell(now)
        return []
    }

    private mutating func receive(_ refused: FeedMessage.Refused, _ now: Instant) -> [Action] {
        lastHeard = now
        refusal = refused.text
        if case .pausing = phase, refused.reason != .otherVersion { return [] }
        let first = received.sequence + 1
        switch refused.reason {
        case .notKept: return fail(.notKept(first: first, oldest: refused.oldest))
        case .ahead: return fail(.ahead(first: first, newest: refused.newest.sequence))
        case .hashDiffers:
            return fail(
                .hashDiffers(sequence: refused.newest.sequence, here: received.hash, there: refused.newest.hash))
        case .otherStream: return fail(.otherStream(refused.text))
        case .replaced: return fail(.replaced(refused.text))
        case .otherVersion: return fail(.otherVersion(refused.text))
        case .unknownSubscription, .earlierEpoch, .tooManyConsumers, .unavailable: return askAgain(now)
        }
    }
}
