import TradeModel

/// Some transaction stays open that could still bring batches.
public struct HorizonError: Error {
    public let until: Timestamp
}

/// A moment, and the transactions that could still bring a batch from before it: a batch says when it commits a little
/// before others can see it.
///
/// They are known by their lock on `batches`, which they take before they look at the clock and keep until what they
/// wrote is seen.
struct CommitHorizon {
    let now: Timestamp
    /// Before when all batches are asked for; nil where no time is asked about.
    let time: Timestamp?
    private let writers: OpenWriters

    private static let nowStatement = Statement("horizon_now", "select clock_timestamp()")

    /// Two statements, the clock first: whoever wrote before that moment is seen in the second, or has ended.
    ///
    /// - Parameter times: the latest of them is what is asked for, and now for one that has not come yet; nil for now.
    init(upTo times: [Timestamp]? = nil, on connection: PostgresConnection) throws(DatabaseError) {
        let now = try connection.query(Self.nowStatement).timestamp(0, 0)
        self.now = now
        time = times.map { $0.max().map { min($0, now) } } ?? now
        // A transaction that began after that time cannot bring an earlier batch.
        writers =
            try time.map { time throws(DatabaseError) in
                try OpenWriters(of: "batches", begunBefore: time, on: connection)
            } ?? .nobody
    }

    /// Waits until all of them have ended, or throws a ``HorizonError``.
    func reach(on connection: PostgresConnection, patience: Duration) throws {
        guard try writers.wait(on: connection, patience: patience) else { throw HorizonError(until: time ?? now) }
    }
}
