import Foundation
import ServiceKit
import TradeEngine
import TradeFeed
import TradeModel

/// What an engine that follows has of its leader.
struct Following {
    var replica: Replica
    var consumer: FeedConsumer?

    init(_ replica: Replica) {
        self.replica = replica
    }
}

extension EngineHost {
    /// How soon a leader that is not what it was is asked again.
    private static let retryTime = Duration.seconds(1)

    var position: StreamPosition {
        StreamPosition(sequence: Int64(engine.sequence), hash: engine.hash)
    }

    /// Carries out what the leader has carried out, as far as it has told, and says how many commands that were.
    func follow() throws -> Int {
        guard let consumer = try consumer() else { return 0 }
        do {
            let run = try consumer.takeNow()
            try note(consumer.status)
            guard let run else { return 0 }
            try repeatCommands(of: run)
            return run.records.count
        } catch let failure as FeedFailure {
            try note(consumer.status)
            try endFollowing(failure)
            return 0
        }
    }

    /// Who brings the leader's records, from where this engine is.
    private func consumer() throws -> FeedConsumer? {
        guard let replica = following?.replica else { return nil }
        if let consumer = following?.consumer { return consumer }
        if let problem = replica.problem, problem.retryAt > .now { return nil }
        var settings = FeedCursor.Settings()
        settings.backoffMillisecondsMax = 500
        let start = FeedCursor.Start(
            consumer: Identifier(stored: lead.replica), stream: self.settings.stream,
            instance: UInt64(Timestamp.now.microseconds), after: position.sequence,
            hash: position.hash, epoch: lead.epoch, keepsPlace: self.settings.folder != nil, isReplica: true)
        let consumer = try FeedConsumer(
            endpoint: replica.leader, start: start, settings: settings, diagnostics: log
        ) { [waker] in waker.wake() }
        following?.consumer = consumer
        consumers.continuation.yield(consumer)
        return consumer
    }

    func note(_ status: FeedConsumer.Status) throws {
        let wasConnected = following?.replica.isConnected ?? false
        following?.replica.note(status)
        guard status.isFollowing else { return }
        if !wasConnected { log.info("the leader is followed", ["sequence": "\(engine.sequence)"]) }
        // What it says stands under its epoch: who leads after it has a later one, whatever happens in between.
        var known = lead
        known.epoch = max(lead.epoch, status.epoch)
        if let difference = lead.difference, difference.sequence <= position.sequence { known.difference = nil }
        guard known != lead else { return }
        try store.keep(known)
        lead = known
    }

    /// Carries out the command of each record, and compares what comes of it with what the leader made of it.
    private func repeatCommands(of run: RecordRun) throws {
        commands.removeAll(keepingCapacity: true)
        records.removeAll(keepingCapacity: true)
        var isSame = true
        var coming = run.records.dropFirst(MatchingEngine.announcingDistance).makeIterator()
        run.records.forEachBytes { record in
            guard isSame else { return }
            coming.next()?.withUnsafeBytes { record in
                if let command = EngineOutput.command(in: record) { engine.announce(command) }
            }
            guard let command = EngineOutput.command(in: record), let own = try? engine.apply(command),
                own.count == record.count, memcmp(own.baseAddress!, record.baseAddress!, own.count) == 0
            else {
                isSame = false
                return
            }
            commands.append(command)
            records.append(record)
            // In the order in which the leader took them in, which never goes back.
            if let view = try? EngineCommandView(command) { lastTime = max(lastTime, view.time) }
        }
        if !records.isEmpty {
            try store.commands?.append(commands)
            try store.records.append(records)
            following?.consumer?.acknowledge(upTo: run.start.sequence + Int64(records.count))
        }
        guard !isSame else { return }
        let sequence = run.start.sequence + Int64(records.count) + 1
        throw try difference(
            sequence, isFirst: true,
            "at record \(sequence) it makes another of the same command; up to \(sequence - 1) both are the same")
    }

    /// What cannot be followed any more: is it this engine that differs, or is what is there another one than before?
    private func endFollowing(_ failure: FeedFailure) throws {
        guard let replica = following?.replica else { return }
        following?.consumer = nil
        if case .replaced = failure { throw EngineFailure("\(failure)") }
        guard !replica.hasFollowed else {
            // What this engine has, its leader had. It may be all that is left of it.
            if replica.problem == nil {
                log.error("the leader is not what it was", ["leader": replica.leader, "reason": "\(failure)"])
            }
            following?.replica.lost("\(failure)", retryAt: .now + Self.retryTime)
            return
        }
        switch failure {
        case .ahead(let first, let newest):
            throw try difference(
                newest + 1, isFirst: false,
                "it has records up to \(first - 1), which its leader, whose newest is \(newest), never had")
        case .hashDiffers(let sequence, let here, let there):
            throw try difference(
                sequence, isFirst: false,
                "at record \(sequence) or before, where the hash is \(here.hexadecimal) here and \(there.hexadecimal) "
                    + "at its leader")
        case .notKept(let first, let oldest):
            throw EngineFailure(
                "the leader at \(replica.leader) no longer keeps record \(first), only those from \(oldest) on: begin "
                    + "with a copy of the folder of an engine that was stopped and has more, and '--wal'")
        case .damaged, .unreadable, .otherStream, .otherVersion, .replaced:
            throw EngineFailure("the leader at \(replica.leader) cannot be followed: \(failure)")
        }
    }

    /// Finds the first record that differs, if both still have what it takes.
    func narrowed(_ difference: EngineDivergence) async -> EngineDivergence {
        guard !difference.isFirst, let leader = lead.leader, let text = lead.difference?.text else { return difference }
        let search = DifferenceSearch(leader: leader, stream: settings.stream, records: store.records)
        do {
            guard let first = try await search.first(upTo: difference.sequence) else { return difference }
            return try self.difference(
                first, isFirst: true, text + "; record \(first) is the first that differs")
        } catch {
            log.warning("the first record that differs was not found", ["reason": "\(error)"])
            return difference
        }
    }

    private func difference(_ sequence: Int64, isFirst: Bool, _ text: String) throws -> EngineDivergence {
        lead.difference = EngineLead.Difference(sequence: sequence, text: text)
        try store.keep(lead)
        return EngineDivergence(
            sequence: sequence, isFirst: isFirst,
            description: "this engine differs from its leader at \(lead.leader ?? ""), and must not lead: \(text)")
    }

    var standing: EngineStanding {
        EngineStanding(
            role: following == nil ? .leading : .following, epoch: lead.epoch,
            leader: following.map { following in
                EngineStanding.Leader(
                    feed: following.replica.leader, isConnected: following.replica.isConnected,
                    newest: following.replica.hasFollowed ? following.replica.newest : nil,
                    problem: following.replica.problem?.text ?? following.replica.refusal)
            },
            consumers: (following == nil ? publisher.consumers : []).map { consumer in
                EngineStanding.Consumer(
                    name: consumer.consumer.text, isFollowing: consumer.isFollowing, isKept: consumer.keepsPlace,
                    acknowledged: consumer.acknowledged)
            })
    }
}
