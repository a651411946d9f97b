import CommandKit
import Repository
import TradeModel

/// The letters that a command is about, a chunk at a time, in the order in which their trades came.
///
/// What was changed since the start is passed over, so that no letter is met twice, though a retry gives it a later
/// place; and a table of any size takes the memory of one chunk.
struct LetterQueue {
    private let connection: PostgresConnection
    private let filter: LetterFilter?
    private var rest: ArraySlice<DeadLetter> = []
    private var position = LinePlace.start
    private let start: Timestamp
    /// How many there are.
    let count: Int

    init(_ numbers: [Int64], on connection: PostgresConnection) throws {
        self.connection = connection
        filter = nil
        start = .now
        var seen: Set<Int64> = []
        let letters = try numbers.filter { seen.insert($0).inserted }.map { try LetterQueue.letter($0, on: connection) }
        rest = letters.sorted { ($0.place, $0.number) < ($1.place, $1.number) }[...]
        count = letters.count
    }

    init(_ filter: LetterFilter, on connection: PostgresConnection) throws {
        self.connection = connection
        self.filter = filter
        let answers = try connection.pipeline([DeadLetterStore.now, DeadLetterStore.count(filter)])
        start = answers[0].timestamp(0, 0)
        count = Int(answers[1].int64(0, 0))
    }

    /// The next letters; empty at the end.
    mutating func next(_ limit: Int) throws -> [DeadLetter] {
        guard let filter else {
            defer { rest = rest.dropFirst(limit) }
            return Array(rest.prefix(limit))
        }
        let page = DeadLetterStore.decode(
            try connection.query(DeadLetterStore.inLine(filter, after: position, unchangedSince: start, limit: limit)))
        if let last = page.last { position = last.linePlace }
        return page
    }

    /// One letter, or a failure that says what became of it.
    static func letter(_ number: Int64, on connection: PostgresConnection) throws -> DeadLetter {
        let answers = try connection.pipeline([DeadLetterStore.find(number), PurgedLetterStore.find(number)])
        if let letter = DeadLetterStore.decode(answers[0]).first { return letter }
        if let words = PurgedLetterStore.decodeWords(answers[1]) {
            throw CommandFailure("dead letter \(number) \(words.printable)", exit: .notFound)
        }
        throw CommandFailure.notFound("dead letter", "\(number)", see: "settle dlq list")
    }
}
