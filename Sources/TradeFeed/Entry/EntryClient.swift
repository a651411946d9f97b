import ServiceKit

/// Asks an engine, and waits for its answers: a ZeroMQ DEALER socket on a thread of its own.
public actor EntryClient {
    /// So many questions are on their way at a time.
    static let windowMax = 512

    private let executor = BlockingExecutor(label: "settle.entry")
    public nonisolated let endpoint: String
    private let timeout: Duration
    private let socket: ZeroMQSocket
    private let wake: WakeSignal
    private var lastNumber = UInt64.random(in: 0...UInt64(UInt32.max)) << 31

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter timeout: how long the engine may take for the next answer.
    public init(endpoint: String, timeout: Duration = .seconds(5)) throws(SocketFailure) {
        self.endpoint = endpoint
        self.timeout = timeout
        socket = try ZeroMQSocket.open(.dealer, highWater: 10_000, messageBytesMax: Int64(EntryMessage.bytesMax))
        try socket.connect(endpoint)
        wake = try WakeSignal()
    }

    /// Has commands carried out in their order, and returns the engine's records of them.
    public func carryOut(_ commands: [[UInt8]]) throws(EntryFailure) -> [[UInt8]] {
        try ask(commands.map { command in { number in EntryMessage.command(number, command) } }).map {
            (answer) throws(EntryFailure) in
            guard case .record(_, let record) = answer else { throw EntryFailure.unexpected(answer, endpoint) }
            return record
        }
    }

    public func query(_ json: [UInt8]) throws(EntryFailure) -> [UInt8] {
        try answer { number in EntryMessage.query(number, json) }
    }

    /// Wishes that an engine that follows another lead in its place.
    public func promote(_ json: [UInt8]) throws(EntryFailure) -> [UInt8] {
        try answer { number in EntryMessage.promote(number, json) }
    }

    /// Wishes that an engine keep nothing any longer for a consumer that will not come back.
    public func forget(_ json: [UInt8]) throws(EntryFailure) -> [UInt8] {
        try answer { number in EntryMessage.forget(number, json) }
    }

    private func answer(_ question: @escaping (UInt64) -> EntryMessage) throws(EntryFailure) -> [UInt8] {
        let answer = try ask([question])[0]
        guard case .answer(_, let json) = answer else { throw .unexpected(answer, endpoint) }
        return json
    }

    private func ask(_ questions: [(UInt64) -> EntryMessage]) throws(EntryFailure) -> [EntryMessage] {
        let first = lastNumber + 1
        lastNumber += UInt64(questions.count)
        var answers: [EntryMessage?] = Array(repeating: nil, count: questions.count)
        var (sent, answered) = (0, 0)
        var deadline = ContinuousClock.now + timeout
        do {
            while answered < questions.count {
                var isFull = false
                while sent < questions.count, sent - answered < Self.windowMax, !isFull {
                    let message = questions[sent](first + UInt64(sent)).encode()
                    if case .done = try socket.sendNow(message, [], to: nil) { sent += 1 } else { isFull = true }
                }
                let remaining = ContinuousClock.now.duration(to: deadline)
                guard remaining > .zero else { throw EntryFailure.silent(endpoint) }
                try socket.waitToReceive(or: wake.descriptor, orToSend: isFull, timeout: remaining)
                while let frame = try socket.receiveFrame(routed: false) {
                    guard frame.parts == 1, let answer = try? EntryMessage(frame.bytes) else { continue }
                    // What belongs to a question that was given up is not waited for any more.
                    let isOurs = answer.number >= first && answer.number - first < UInt64(questions.count)
                    if case .refused(let number, let refusal, let text) = answer, isOurs || number == 0 {
                        throw EntryFailure.refused(refusal, text)
                    }
                    guard isOurs, answers[Int(answer.number - first)] == nil else { continue }
                    answers[Int(answer.number - first)] = answer
                    answered += 1
                    deadline = ContinuousClock.now + timeout
                }
            }
        } catch let failure as EntryFailure {
            throw failure
        } catch {
            throw .unusable("\(error)")
        }
        return answers.map { $0! }
    }
}

/// Why an engine did not do what it was asked.
public enum EntryFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No answer came. What was asked may have been done.
    case silent(String)
    case refused(EntryMessage.Refusal, String)
    case unusable(String)

    static func unexpected(_ answer: EntryMessage, _ endpoint: String) -> EntryFailure {
        .unusable("the engine at \(endpoint) answered something else")
    }

    public var description: String {
        switch self {
        case .silent(let endpoint): "the engine at \(endpoint) does not answer"
        case .refused(_, let text), .unusable(let text): text
        }
    }
}
