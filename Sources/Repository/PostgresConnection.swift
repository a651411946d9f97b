import CPostgres
import Glibc
import ServiceKit

/// One connection to PostgreSQL. It blocks, so it belongs to whoever has a thread to spare: an actor with its
/// own executor, or a command of the command line.
public final class PostgresConnection {
    private let handle: OpaquePointer
    private var prepared: Set<String> = []
    /// How long an answer may take before the connection counts as lost. The server's own timeouts are shorter.
    private var answerTimeoutMilliseconds: Int

    /// - Parameter connectionString: libpq's, as a URL or keywords; empty means libpq's environment variables.
    public init(_ connectionString: String, limits: Limits = Limits(), applicationName: String = "settle")
        throws(DatabaseError)
    {
        answerTimeoutMilliseconds = limits.statementTimeoutMilliseconds + 5_000
        let settings = [
            ("fallback_application_name", applicationName),
            ("client_encoding", "UTF8"),
            ("connect_timeout", String(limits.connectTimeoutSeconds)),
            // A server that vanished without a word is missed within a minute, also by a statement without a timeout.
            ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"),
            // Last, since the later of two settings wins: what the user says goes.
            ("dbname", connectionString),
        ]
        let opened = withCStrings(settings.map(\.0)) { keywords in
            withCStrings(settings.map(\.1)) { values in PQconnectdbParams(keywords, values, 1) }
        }
        guard let opened else { throw DatabaseError(message: "out of memory") }
        handle = opened
        guard PQstatus(handle) == CONNECTION_OK else { throw refusal() }
        if let encoding = PQparameterStatus(handle, "server_encoding").map({ String(cString: $0) }), encoding != "UTF8"
        {
            throw DatabaseError(
                sqlState: "0A000",
                message: "the database stores text as \(encoding); settle needs one with encoding UTF8")
        }
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        PQsetnonblocking(handle, 1)
        try script(
            """
            set timezone = 'UTC'; set jit = off; set default_transaction_isolation = 'read committed';
            set statement_timeout = \(limits.statementTimeoutMilliseconds);
            set lock_timeout = \(limits.lockTimeoutMilliseconds);
            set idle_in_transaction_session_timeout = 60000;
            """)
    }

    deinit {
        PQfinish(handle)
    }

    /// From here on no statement takes too long: for what goes through all of the tables.
    public func liftStatementTimeout() throws(DatabaseError) {
        try script("set statement_timeout = 0")
        // As poll has it: without end.
        answerTimeoutMilliseconds = -1
    }

    /// What stops a statement that this connection waits for.
    public func interrupter() -> StatementInterrupter { StatementInterrupter(handle) }

    public var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }

    /// Where we are connected, for messages: `/run/postgresql` or `db.example:5432`.
    public var address: String {
        let host = PQhost(handle).map { String(cString: $0) } ?? ""
        return host.hasPrefix("/") ? host : host + ":" + (PQport(handle).map { String(cString: $0) } ?? "")
    }

    /// The name of the database.
    public var database: String { PQdb(handle).map { String(cString: $0) } ?? "" }

    /// Why no connection came about, without what the user wrote: that may hold a password.
    private func refusal() -> DatabaseError {
        guard let host = PQhost(handle).map({ String(cString: $0) }), !host.isEmpty else {
            return DatabaseError(message: "the connection string cannot be read, or names no server")
        }
        let lines = String(cString: PQerrorMessage(handle)).split(separator: "\n")
        var reason = lines.first.map(String.init) ?? "no answer"
        for marker in ["failed: ", "FATAL:  "] {
            if let end = reason.firstRange(of: marker)?.upperBound { reason = String(reason[end...]) }
        }
        return DatabaseError(
            message: "cannot reach PostgreSQL at \(address) (\(reason.prefix(1).lowercased())\(reason.dropFirst()))")
    }

    /// The number of the server's process for this connection.
    public var backend: Int32 { PQbackendPID(handle) }

    // MARK: Statements

    @discardableResult
    public func query(_ statement: Statement, _ parameters: Parameter...) throws(DatabaseError) -> Rows {
        try query(Request(statement, parameters))
    }

    @discardableResult
    public func query(_ request: Request) throws(DatabaseError) -> Rows {
        try pipeline([request])[0]
    }

    /// Sends all requests at once and returns their answers: one round trip, however many there are.
    ///
    /// When one fails, those behind it are not carried out and its error is thrown.
    public func pipeline(_ requests: [Request]) throws(DatabaseError) -> [Rows] {
        guard PQenterPipelineMode(handle) == 1 else { throw connectionError() }
        defer { PQexitPipelineMode(handle) }

        var isPreparation: [Bool] = []
        var preparing: [String] = []
        for request in requests {
            if !prepared.contains(request.statement.name), !preparing.contains(request.statement.name) {
                let types = request.parameters.map { Oid($0.type.rawValue) }
                guard
                    PQsendPrepare(
                        handle, request.statement.name, request.statement.sql, Int32(types.count), types) == 1
                else { throw connectionError() }
                isPreparation.append(true)
                preparing.append(request.statement.name)
            }
            let values: [UnsafePointer<CChar>?] = request.parameters.map {
                $0.buffer.map { UnsafePointer($0.start.assumingMemoryBound(to: CChar.self)) }
            }
            let lengths = request.parameters.map { Int32($0.buffer?.count ?? 0) }
            let formats = [Int32](repeating: 1, count: values.count)
            let sent = withExtendedLifetime(request) {
                PQsendQueryPrepared(
                    handle, request.statement.name, Int32(values.count), values, lengths, formats, 1)
            }
            guard sent == 1 else { throw connectionError() }
            isPreparation.append(false)
        }
        guard PQpipelineSync(handle) == 1 else { throw connectionError() }
        try flush()

        var rows: [Rows] = []
        var failure: DatabaseError?
        var answered = 0
        var endsInARow = 0
        while true {
            try awaitAnswer()
            guard let result = PQgetResult(handle) else {
                // One nil ends the answer to each request; two mean that there is nothing more to come.
                endsInARow += 1
                guard endsInARow == 1, PQstatus(handle) == CONNECTION_OK else { throw connectionError() }
                continue
            }
            endsInARow = 0
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC:
                PQclear(result)
                if let failure { throw failure }
                prepared.formUnion(preparing)
                return rows
            case PGRES_PIPELINE_ABORTED:
                PQclear(result)
                answered += 1
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                if isPreparation[answered] { PQclear(result) } else { rows.append(Rows(owning: result)) }
                answered += 1
            default:
                failure = failure ?? error(of: result)
                // What was prepared before the failing request stays prepared.
                let done = isPreparation.prefix(answered).filter { $0 }.count
                prepared.formUnion(preparing.prefix(done))
                PQclear(result)
                answered += 1
                if PQstatus(handle) != CONNECTION_OK { throw failure! }
            }
        }
    }

    /// Runs statements without parameters, as written; for migrations and settings.
    public func script(_ sql: String) throws(DatabaseError) {
        guard PQsendQuery(handle, sql) == 1 else { throw connectionError() }
        try flush()
        try finish()
        guard PQstatus(handle) == CONNECTION_OK else { throw connectionError() }
    }

    /// Runs a COPY FROM STDIN with its data, piece by piece until there is none.
    public func copy(_ sql: String, from next: () -> UnsafeRawBufferPointer?) throws(DatabaseError) {
        guard PQsendQuery(handle, sql) == 1 else { throw connectionError() }
        try flush()
        try awaitAnswer()
        guard let start = PQgetResult(handle) else { throw connectionError() }
        guard PQresultStatus(start) == PGRES_COPY_IN else {
            let failure = error(of: start)
            PQclear(start)
            while let result = PQgetResult(handle) { PQclear(result) }
            throw failure
        }
        PQclear(start)
        while let piece = next() {
            let bytes = piece.assumingMemoryBound(to: CChar.self)
            try retryingWhenFull { PQputCopyData(handle, bytes.baseAddress, Int32(bytes.count)) }
            try flush()
        }
        try retryingWhenFull { PQputCopyEnd(handle, nil) }
        try flush()
        try finish()
    }

    /// Takes the answers that are left, and throws the first failure among them.
    private func finish() throws(DatabaseError) {
        var failure: DatabaseError?
        while true {
            try awaitAnswer()
            guard let result = PQgetResult(handle) else { break }
            if PQresultStatus(result) == PGRES_FATAL_ERROR { failure = failure ?? error(of: result) }
            PQclear(result)
        }
        if let failure { throw failure }
    }

    /// libpq answers 0 where its buffer has no room until something was sent.
    private func retryingWhenFull(_ put: () -> Int32) throws(DatabaseError) {
        while true {
            let answer = put()
            if answer == 1 { return }
            guard answer == 0 else { throw connectionError() }
            try flush()
        }
    }

    /// Runs `body` between BEGIN and COMMIT; an error rolls back.
    public func transaction<Value>(
        _ begin: Statement = .begin, _ body: () throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        try query(begin)
        do {
            let value = try body()
            try commit()
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    public func commit() throws(DatabaseError) {
        let answer = try query(.commit).command
        guard answer == "COMMIT" else {
            throw DatabaseError(sqlState: "25P02", message: "the transaction was rolled back")
        }
    }

    /// Ends a failed transaction. A connection that cannot even do that reports it at its next use.
    public func rollBack() {
        guard isInTransaction else { return }
        _ = try? query(.rollback)
    }

    // MARK: Notifications

    /// Waits until a notification arrives or the time is over; says whether one did.
    public func awaitNotification(milliseconds: Int) throws(DatabaseError) -> Bool {
        if takeNotifications() { return true }
        _ = try waitForSocket(Int16(POLLIN), milliseconds: milliseconds)
        guard PQconsumeInput(handle) == 1 else { throw connectionError() }
        return takeNotifications()
    }

    private func takeNotifications() -> Bool {
        var found = false
        while let notification = PQnotifies(handle) {
            found = true
            PQfreemem(notification)
        }
        return found
    }

    // MARK: Waiting

    private func flush() throws(DatabaseError) {
        while true {
            let state = PQflush(handle)
            if state == 0 { return }
            guard state == 1 else { throw connectionError() }
            let ready = try waitForSocket(Int16(POLLIN | POLLOUT), milliseconds: answerTimeoutMilliseconds)
            guard ready != 0 else { throw answerTimeout() }
            if ready & Int16(POLLIN) != 0, PQconsumeInput(handle) != 1 { throw connectionError() }
        }
    }

    private func awaitAnswer() throws(DatabaseError) {
        while PQisBusy(handle) == 1 {
            guard try waitForSocket(Int16(POLLIN), milliseconds: answerTimeoutMilliseconds) != 0 else {
                throw answerTimeout()
            }
            guard PQconsumeInput(handle) == 1 else { throw connectionError() }
        }
    }

    private func waitForSocket(_ events: Int16, milliseconds: Int) throws(DatabaseError) -> Int16 {
        var descriptor = pollfd(fd: PQsocket(handle), events: events, revents: 0)
        guard descriptor.fd >= 0 else { throw connectionError() }
        while true {
            let count = poll(&descriptor, 1, Int32(clamping: milliseconds))
            if count > 0 { return descriptor.revents }
            if count == 0 { return 0 }
            guard errno == EINTR else { throw DatabaseError(message: String(cString: strerror(errno))) }
        }
    }

    private func answerTimeout() -> DatabaseError {
        DatabaseError(message: "PostgreSQL has not answered for \(answerTimeoutMilliseconds / 1000) s")
    }

    private func connectionError() -> DatabaseError {
        DatabaseError(message: oneLine(String(cString: PQerrorMessage(handle))))
    }

    private func error(of result: OpaquePointer) -> DatabaseError {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue!)).map { String(cString: $0) }
        }
        return DatabaseError(
            sqlState: field("C"),
            message: field("M") ?? oneLine(String(cString: PQresultErrorMessage(result))),
            detail: field("D"),
            // "V" is the severity untranslated.
            isFatal: ["FATAL", "PANIC"].contains(field("V")))
    }
}

/// Asks the server, over a connection of its own, to stop what another connection waits for. Works from any thread.
///
/// Unchecked, since libpq says of this handle, as of no other, that threads may share it.
public final class StatementInterrupter: @unchecked Sendable {
    private let handle: OpaquePointer?

    fileprivate init(_ connection: OpaquePointer) {
        handle = PQgetCancel(connection)
    }

    deinit {
        PQfreeCancel(handle)
    }

    /// The statement, if there is one, fails as cancelled. Blocks until the server has been told.
    public func interrupt() {
        var reason = [CChar](repeating: 0, count: 256)
        if let handle { PQcancel(handle, &reason, Int32(reason.count)) }
    }
}

/// SQL with a name, prepared once for each connection that uses it.
public struct Statement: Sendable {
    public let name: String
    public let sql: String

    public init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
    }

    public static let begin = Statement("begin", "begin")
    public static let beginSnapshot = Statement("begin_snapshot", "begin isolation level repeatable read read only")
    public static let commit = Statement("commit", "commit")
    public static let rollback = Statement("rollback", "rollback")
}

/// A statement with its values.
public struct Request {
    let statement: Statement
    let parameters: [Parameter]

    public init(_ statement: Statement, _ parameters: [Parameter] = []) {
        self.statement = statement
        self.parameters = parameters
    }
}

/// libpq's messages have several lines and a prefix; ours have one line.
private func oneLine(_ message: String) -> String {
    let words = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.isEmpty ? "the connection was lost" : words
}

private func withCStrings<Value>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
) -> Value {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    let pointers = copies.map { UnsafePointer<CChar>($0) } + [nil]
    return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
}
