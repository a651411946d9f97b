import Repository
import ServiceKit
import WalletClient

/// The panel's own connection, so that looking on never waits for what settles. It connects anew after a loss.
actor PanelDatabase {
    /// Where a run begins: the newest batch and the newest letter before it.
    struct Beginning {
        let batch: Int64
        let letter: Int64

        init(_ connection: PostgresConnection) throws {
            let answers = try connection.pipeline([Glance.lastBatch, Glance.newLetters(after: 0, limit: 1)])
            batch = answers[0].int64(0, 0)
            letter = Glance.decodeNewLetters(answers[1]).first?.number ?? 0
        }
    }

    private let executor = BlockingExecutor(label: "settle.panel")
    private let connectionString: String
    private let limits: Limits
    private let worker: Int64
    private let firstBatch: Int64
    private var lastLetter: Int64
    private var connection: PostgresConnection?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A glance that takes longer than this is none.
    private static let timeoutMilliseconds = 2_000
    /// So many new letters are looked at in one go.
    private static let newLettersMax = 200

    init(_ database: Database, worker: Int64, since beginning: Beginning) {
        connectionString = database.connectionString
        var limits = database.limits
        limits.statementTimeoutMilliseconds = min(limits.statementTimeoutMilliseconds, Self.timeoutMilliseconds)
        self.limits = limits
        self.worker = worker
        firstBatch = beginning.batch
        lastLetter = beginning.letter
    }

    /// Open letters, and those that came since the last call, the oldest first.
    func letters() throws -> (open: Glance.OpenLetters, new: [Glance.LetterHeadline]) {
        let answers = try ask([
            Glance.openLetters, Glance.newLetters(after: lastLetter, limit: Self.newLettersMax),
        ])
        let new = Glance.decodeNewLetters(answers[1])
        lastLetter = new.first?.number ?? lastLetter
        return (Glance.decodeOpenLetters(answers[0]), new.reversed())
    }

    func books() throws -> (unbalancedAssets: Int64, settled: Int64) {
        Glance.decodeBooks(try ask([Glance.books(since: firstBatch, worker: worker)])[0])
    }

    /// Ends a connection that settles; false when it is not there, or not at work and that was asked for.
    func terminate(_ backend: Int32, onlyAtWork: Bool) throws -> Bool {
        try ask([BackendStore.terminate(backend, onlyAtWork: onlyAtWork)])[0].count > 0
    }

    /// Pauses the queue of the database or lets it go on, as an operator does from elsewhere.
    func setPaused(_ isPaused: Bool) throws {
        try connected { try QueueControlStore.set(paused: isPaused, actor: operatorName, reason: "settle up", on: $0) }
    }

    private func ask(_ requests: [Request]) throws -> [Rows] {
        try connected { try $0.pipeline(requests) }
    }

    @discardableResult
    private func connected<Value>(_ body: (PostgresConnection) throws -> Value) throws -> Value {
        do {
            if connection == nil {
                connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle panel")
            }
            return try body(connection!)
        } catch {
            // Whatever went wrong, a new connection is free of it.
            connection = nil
            throw error
        }
    }
}
