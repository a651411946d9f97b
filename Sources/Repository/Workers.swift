import Glibc
import ServiceKit

/// A worker process as `workers` knows it.
public struct WorkerIdentity: Sendable {
    public let number: Int64
    private let host: String
    private let processID: Int32
    private let version: String

    private static let registerStatement = Statement(
        "workers_register",
        "insert into workers (host, process_id, version) values ($1, $2, $3) returning worker_no")

    /// Enters this process under a number that no other one has had.
    public static func register(on connection: PostgresConnection, version: String) throws(DatabaseError)
        -> WorkerIdentity
    {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let processID = getpid()
        let rows = try connection.query(registerStatement, .text(host), .int4(processID), .text(version))
        return WorkerIdentity(number: rows.int64(0, 0), host: host, processID: processID, version: version)
    }

    private static let beatStatement = Statement(
        "workers_beat",
        """
        insert into workers (worker_no, host, process_id, version, in_flight)
        overriding system value values ($1, $2, $3, $4, $5)
        on conflict (worker_no) do update set heartbeat_at = clock_timestamp(), in_flight = excluded.in_flight
        """)

    /// Says that the process lives; enters it again if it was taken for dead and removed.
    public func beat(inFlight: Int) -> Request {
        Request(
            Self.beatStatement,
            [.int8(number), .text(host), .int4(processID), .text(version), .int4(Int32(clamping: inFlight))])
    }
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
        "select count(*) from workers where abs(extract(epoch from clock_timestamp() - heartbeat_at)) * 1000 < $1")

    /// How many worker processes have given a sign of life lately.
    public static func living(_ limits: Limits) -> Request {
        Request(livingStatement, [.int8(Int64(limits.heartbeatTimeoutMilliseconds))])
    }

    static let listenStatement = Statement("workers_listen", "listen settle_pending")

    /// Asks to be told when somebody stores a trade as PENDING.
    public static var listen: Request { Request(listenStatement) }
}
