/// Table `workers`: who settles, and who still lives.
public enum WorkerStore {
    static let registerStatement = Statement(
        "workers_register",
        "insert into workers (host, process_id, version) values ($1, $2, $3) returning worker_no")

    public static func register(host: String, processID: Int32, version: String) -> Request {
        Request(registerStatement, [.text(host), .int4(processID), .text(version)])
    }

    static let beatStatement = Statement(
        "workers_beat",
        "update workers set heartbeat_at = clock_timestamp(), in_flight = $2 where worker_no = $1")

    public static func beat(_ worker: Int64, inFlight: Int) -> Request {
        Request(beatStatement, [.int8(worker), .int4(Int32(clamping: inFlight))])
    }

    static let leaveStatement = Statement("workers_leave", "delete from workers where worker_no = $1")

    /// A worker that is gone has no claims: its rows are free at once.
    public static func leave(_ worker: Int64) -> Request {
        Request(leaveStatement, [.int8(worker)])
    }

    static let removeDeadStatement = Statement(
        "workers_remove_dead", "delete from workers where heartbeat_at < clock_timestamp() - interval '1 day'")

    public static var removeDead: Request { Request(removeDeadStatement) }

    static let listenStatement = Statement("workers_listen", "listen settle_pending")

    /// Asks to be told when somebody stores a trade as PENDING.
    public static var listen: Request { Request(listenStatement) }
}
