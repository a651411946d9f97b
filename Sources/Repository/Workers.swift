import Glibc
import ServiceKit
import TradeModel

/// A worker process as `workers` knows it.
public struct WorkerIdentity: Sendable {
    public let number: Int64
    private let host: String
    private let processID: Int32
    private let version: String

    /// What this machine is called.
    static var thisHost: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static let registerStatement = Statement(
        "workers_register",
        """
        insert into workers (host, process_id, version, seen_revision) values ($1, $2, $3, -1) returning worker_no
        """)

    /// Enters this process under a number that no other one has had.
    public static func register(on connection: PostgresConnection, version: String) throws(DatabaseError)
        -> WorkerIdentity
    {
        let (host, processID) = (Self.thisHost, getpid())
        let rows = try connection.query(registerStatement, .text(host), .int4(processID), .text(version))
        return WorkerIdentity(number: rows.int64(0, 0), host: host, processID: processID, version: version)
    }

    private static let beatStatement = Statement(
        "workers_beat",
        """
        insert into workers (worker_no, host, process_id, version, in_flight, queued, state, seen_revision)
        overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (worker_no) do update
           set heartbeat_at = clock_timestamp(), in_flight = excluded.in_flight, queued = excluded.queued,
               state = excluded.state, seen_revision = excluded.seen_revision
        """)

    /// Says that the process lives and what it holds; enters it again if it was taken for dead and removed.
    public func beat(_ report: WorkerReport) -> Request {
        Request(
            Self.beatStatement,
            [
                .int8(number), .text(host), .int4(processID), .text(version), .int4(Int32(clamping: report.inFlight)),
                .int4(Int32(clamping: report.queued)), .text(report.state.rawValue), .int8(report.seenRevision),
            ])
    }
}

/// What a worker says of itself with each sign of life.
public struct WorkerReport: Sendable, Equatable {
    public enum State: String, Sendable {
        case running
        /// The queue is paused, and the worker finishes what it holds.
        case pausing
        /// The queue is paused, and the worker holds nothing.
        case paused
        /// It drains, to end.
        case stopping
    }

    public var state: State
    /// What waits in its memory.
    public var queued: Int
    public var inFlight: Int
    /// The newest change of the queue's control that it obeys.
    public var seenRevision: Int64

    public init(state: State, queued: Int, inFlight: Int, seenRevision: Int64) {
        self.state = state
        self.queued = queued
        self.inFlight = inFlight
        self.seenRevision = seenRevision
    }
}

/// A row of `workers`.
public struct RecordedWorker: Sendable {
    public let number: Int64
    public let host: String
    public let processID: Int
    public let version: String
    public let startedAt: Timestamp
    public let heartbeatAt: Timestamp
    /// How long ago the last sign of life was, by the clock of the database.
    public let silence: Duration
    /// nil where the worker's program knows no states.
    public let state: WorkerReport.State?
    public let queued: Int
    public let inFlight: Int
    /// nil where the worker's program knows no pauses.
    public let seenRevision: Int64?

    /// Whether it gave a sign of life lately.
    public func isLiving(_ limits: Limits) -> Bool {
        silence < .milliseconds(limits.heartbeatTimeoutMilliseconds)
    }

    /// Whether it was a process of this machine and is none any more. Of other machines' processes we know nothing.
    public var hasEndedHere: Bool {
        host == WorkerIdentity.thisHost && kill(pid_t(processID), 0) != 0 && errno == ESRCH
    }

    /// Whether it obeys the queue's control as it stands.
    public func hasSeen(_ control: QueueControl) -> Bool { (seenRevision ?? -1) >= control.revision }

    /// Whether it has nothing that could still be settled.
    public var isEmpty: Bool { state == .paused && queued == 0 && inFlight == 0 }

    /// Whether it asks, with each batch, if the queue is sealed.
    public var knowsPauses: Bool { seenRevision != nil }
}

/// Table `workers`: who settles, and who still lives.
public enum WorkerStore {
    static let leaveStatement = Statement("workers_leave", "delete from workers where worker_no = $1")

    /// A worker that is gone has no claims: its rows are free at once.
    public static func leave(_ worker: Int64) -> Request {
        Request(leaveStatement, [.int8(worker)])
    }

    static let removeDeadStatement = Statement(
        "workers_remove_dead", "delete from workers where heartbeat_at < clock_timestamp() - interval '1 day'")

    public static var removeDead: Request { Request(removeDeadStatement) }

    static let livingStatement = Statement(
        "workers_living",
        """
        select exists (select from workers
                        where abs(extract(epoch from clock_timestamp() - heartbeat_at)) * 1000 < $1)
        """)

    /// Whether any worker process has given a sign of life lately.
    public static func isAnyLiving(_ limits: Limits, _ connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(livingStatement, .int8(Int64(limits.heartbeatTimeoutMilliseconds))).bool(0, 0)
    }

    static let listStatement = Statement(
        "workers_list",
        """
        select worker_no, host, process_id, version, started_at, heartbeat_at,
               (abs(extract(epoch from clock_timestamp() - heartbeat_at)) * 1000)::bigint,
               state, queued, in_flight, seen_revision
          from workers order by worker_no
        """)

    /// All that have signed on and not off, the silent ones too.
    public static var list: Request { Request(listStatement) }

    public static func decode(_ rows: Rows) -> [RecordedWorker] {
        rows.indices.map { row in
            RecordedWorker(
                number: rows.int64(row, 0), host: rows.string(row, 1), processID: Int(rows.int32(row, 2)),
                version: rows.string(row, 3), startedAt: rows.timestamp(row, 4), heartbeatAt: rows.timestamp(row, 5),
                silence: .milliseconds(rows.int64(row, 6)), state: WorkerReport.State(rawValue: rows.string(row, 7)),
                queued: Int(rows.int32(row, 8)), inFlight: Int(rows.int32(row, 9)),
                seenRevision: rows.optional(row, 10, rows.int64))
        }
    }

    static let listenStatement = Statement("workers_listen", "listen settle_pending")
    static let listenControlStatement = Statement("workers_listen_control", "listen settle_control")

    /// Asks to be told when somebody stores a trade as PENDING, and when an operator stops the queue or a market.
    public static var listen: [Request] { [Request(listenStatement), Request(listenControlStatement)] }
}
