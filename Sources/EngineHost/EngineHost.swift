import Foundation
import ServiceKit
import TradeEngine
import TradeFeed
import TradeModel

/// A matching engine at work: takes commands in, keeps them, publishes what came of them, and answers.
///
/// One thread owns all of it. It takes what has arrived, has the engine carry it out, makes the commands durable
/// together, and only then publishes the records and answers: what anybody was told of is still so after any crash.
///
/// One that follows takes its commands from the records of its leader instead, and takes orders only once it leads.
public actor EngineHost {
    private static let idleTime = Duration.milliseconds(250)
    /// How long a stop goes on answering those who do not stop asking.
    private static let farewellTime = Duration.seconds(1)
    /// Questions take longer than commands, and orders wait behind them.
    private static let queriesMax = 16
    /// How often it is looked what need not be kept any more.
    private static let tidyInterval = Duration.seconds(2)
    /// How soon it is looked again whether an engine that is to lead may.
    private static let promotionTime = Duration.milliseconds(20)

    private let executor = BlockingExecutor(label: "settle.engine")
    let settings: EngineSettings
    let log: Log
    let store: EngineStore
    let socket: EntrySocket
    var engine: MatchingEngine
    let publisher: FeedPublisher
    private let isStopping = Guarded(false)
    private let isClosed = Guarded(false)
    private var takesCommands = true
    var lastTime: Timestamp
    /// From then on, what is asked is refused; nil while nobody wants it to stop.
    private var farewell: ContinuousClock.Instant?
    private var snapshotAt: UInt64
    private var tidiedAt = ContinuousClock.now
    var commands = RecordBuffer()
    var records = RecordBuffer()
    var lead: EngineLead
    /// Nil when it leads.
    var following: Following?
    /// Who brings the leader's records: one after the other, should one fail.
    nonisolated let consumers = AsyncStream.makeStream(of: FeedConsumer.self)
    var wishes: [Wish] = []
    private var copies = BalanceCopies()

    public nonisolated let entryEndpoint: String
    public nonisolated let feedEndpoint: String
    nonisolated let waker: EntrySocket.Waker

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens what was kept and the doors; nothing is taken in before `run`.
    public init(_ settings: EngineSettings, log: Log) throws {
        let store = try EngineStore(settings, log: log)
        let lead = try store.lead()
        let engine = try store.restore(log: log)
        let socket = try EntrySocket(endpoint: settings.entryEndpoint)
        var publishing = FeedPublisher.Settings()
        publishing.placeFile = store.placeFile
        let publisher = try FeedPublisher(
            endpoint: settings.feedEndpoint, stream: settings.stream, epoch: lead.leader == nil ? lead.epoch : nil,
            log: store.records,
            settings: publishing, diagnostics: log)
        self.publisher = publisher
        self.settings = settings
        self.log = log
        self.store = store
        snapshotAt = engine.sequence
        lastTime = try store.lastTime() ?? Timestamp(microseconds: 0)
        entryEndpoint = socket.endpoint
        waker = socket.waker
        feedEndpoint = publisher.endpoint
        self.engine = engine
        self.socket = socket
        self.lead = lead
        if let leader = lead.leader {
            following = Following(
                Replica(
                    leader: leader, silence: .milliseconds(settings.leaderSilenceMilliseconds),
                    now: ContinuousClock.now))
        }
    }

    /// Works until it is stopped, or throws why it cannot go on.
    public nonisolated func run() async throws {
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                // Without its feed an engine must not go on: nothing of what it does would be settled.
                group.addTask {
                    defer { self.stop() }
                    try await self.publisher.run()
                }
                group.addTask {
                    // Why it ended is told to who takes from it.
                    for await consumer in self.consumers.stream { try? await consumer.run() }
                }
                group.addTask {
                    defer {
                        self.publisher.stop()
                        self.consumers.continuation.finish()
                    }
                    do { try await self.work() } catch let difference as EngineDivergence {
                        throw await self.narrowed(difference)
                    }
                }
                try await group.waitForAll()
            }
        } onCancel: {
            stop()
        }
    }

    /// Ends in good order: what has arrived is answered, and everything is kept.
    public nonisolated func stop() {
        isStopping.withLock { $0 = true }
        waker.wake()
    }

    /// Refuses commands from now on; questions are answered, and its output can still be followed.
    public nonisolated func takeNoMoreCommands() {
        isClosed.withLock { $0 = true }
    }

    private func work() throws {
        defer { following?.consumer?.stop() }
        log.info(
            "engine started",
            [
                "stream": settings.stream.text, "sequence": "\(engine.sequence)", "orders": entryEndpoint,
                "feed": feedEndpoint, "epoch": "\(lead.epoch)", "follows": lead.leader ?? "nobody",
            ])
        while true {
            takesCommands = !isClosed.withLock { $0 }
            if farewell == nil, isStopping.withLock({ $0 }) { farewell = .now + Self.farewellTime }
            let taken = farewell == nil ? try follow() : 0
            let count = try round()
            try grantWishes(isStopping: farewell != nil)
            try tidy()
            if let farewell, count == 0 || .now > farewell + Self.farewellTime { break }
            if count == 0, taken == 0 { try socket.wait(wishes.isEmpty ? Self.idleTime : Self.promotionTime) }
        }
        if engine.sequence > snapshotAt { try store.takeSnapshot(of: engine) }
        try store.close()
        log.info("engine stopped", ["sequence": "\(engine.sequence)", "hash": engine.hash.hexadecimal])
    }

    /// Takes what has arrived, and says how much that was.
    private func round() throws -> Int {
        let arrived = try receive()
        var answers: [(EntrySocket.Caller, EntryMessage)] = []
        var wishCount = 0
        commands.removeAll(keepingCapacity: true)
        records.removeAll(keepingCapacity: true)
        for (index, (caller, message)) in arrived.enumerated() {
            let coming = index + MatchingEngine.announcingDistance
            if coming < arrived.count, case .success(.command(_, let command)) = arrived[coming].1 {
                command.withUnsafeBytes { engine.announce($0) }
            }
            if farewell == nil, case .success(.promote(let number, let json)) = message {
                wishCount += 1
                if let refusal = note(number, json, of: caller) { answers.append((caller, refusal)) }
            } else {
                answers.append((caller, answer(message)))
            }
        }
        guard !answers.isEmpty else { return wishCount }
        if !commands.isEmpty {
            // If this fails, the engine is ahead of its log: it must not go on, and nobody was told of anything.
            try store.commands?.append(commands)
            try store.records.append(records)
            publisher.recordsWereAdded()
        }
        for (caller, message) in answers { try socket.send(message, to: caller) }
        return answers.count + wishCount
    }

    private typealias Arrival = (EntrySocket.Caller, Result<EntryMessage, MalformedEntryMessage>)

    private func receive() throws -> [Arrival] {
        var arrived: [Arrival] = []
        var queryCount = 0
        while arrived.count < settings.batchCommands, queryCount < Self.queriesMax, let arrival = try socket.receive() {
            if case .success(.query) = arrival.1 { queryCount += 1 }
            arrived.append(arrival)
        }
        return arrived
    }

    private func answer(_ message: Result<EntryMessage, MalformedEntryMessage>) -> EntryMessage {
        switch message {
        case .success(let message) where farewell.map { .now > $0 } ?? false:
            return .refused(message.number, .stopping, "the engine is about to stop")
        case .success(.command(let number, _)) where !takesCommands:
            return .refused(number, .stopping, "the engine takes no more commands, since it is about to stop")
        case .success(.command(let number, _)) where lead.leader != nil:
            return .refused(
                number, .notLeading,
                "this engine follows the one that publishes at \(lead.leader!), and that one takes the orders")
        case .success(.command(let number, var command)):
            if let reason = reservedKey(of: command) { return .refused(number, .malformed, reason) }
            do {
                return .record(number, try carryOut(&command))
            } catch {
                return .refused(number, .malformed, "this is no command: \(error)")
            }
        case .success(.query(let number, let json)):
            guard let query = try? JSONDecoder().decode(EngineQuery.self, from: Data(json)),
                let answer = try? JSONEncoder().encode(answer(query))
            else { return .refused(number, .malformed, "this is no question that an engine answers") }
            return .answer(number, Array(answer))
        case .success(.forget(let number, let json)):
            return forget(number, json)
        case .success(let other):
            return .refused(other.number, .malformed, "this is an answer, and nothing was asked")
        case .failure(let problem):
            return .refused(0, .malformed, problem.description)
        }
    }

    private func answer(_ query: EngineQuery) -> EngineAnswer {
        var answer = copies.answer(query, engine, of: settings.stream)
        answer.standing = standing
        return answer
    }

    /// The keys of what the engine does by itself begin with the name of its stream; nobody else's may, or the books
    /// would take the one for the other.
    private func reservedKey(of command: [UInt8]) -> String? {
        // Only these have one; whatever else it is, orders above all, the engine alone reads.
        switch command.count > EngineCommand.bodyOffset ? command[EngineCommand.kindOffset] : 0 {
        case EngineCommand.Kind.deposit, EngineCommand.Kind.withdraw: break
        default: return nil
        }
        let key = command.withUnsafeBytes { bytes -> String? in
            guard let view = try? EngineCommandView(bytes) else { return nil }
            switch view.action {
            case .deposit(let transfer), .withdraw(let transfer): return String(decoding: transfer.key, as: UTF8.self)
            default: return nil
            }
        }
        guard let key, key.hasPrefix("\(settings.stream):") else { return nil }
        return "ids that begin with '\(settings.stream):' are the engine's own; give another one"
    }

    /// Stamps a command with the time, which never goes back, and has it carried out.
    private func carryOut(_ command: inout [UInt8]) throws -> [UInt8] {
        lastTime = max(lastTime, .now)
        EngineCommand.stamp(&command, with: lastTime)
        return try command.withUnsafeBytes { bytes in
            let record = try engine.apply(bytes)
            commands.append(bytes)
            records.append(record)
            return Array(record)
        }
    }

    private func tidy() throws {
        if engine.sequence - snapshotAt >= UInt64(settings.snapshotRecords) {
            try store.takeSnapshot(of: engine)
            snapshotAt = engine.sequence
        }
        guard ContinuousClock.now - tidiedAt >= Self.tidyInterval else { return }
        tidiedAt = .now
        copies.dropIdle(now: tidiedAt)
        // Nobody follows one that follows.
        try store.dropRecords(keptFrom: following == nil ? publisher.keptFrom : nil)
    }
}
