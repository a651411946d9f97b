import TradeModel

/// Keeps the records of one stream, numbered without a hole, for readers who are each at their own place.
///
/// One writer appends; any number of readers read meanwhile, from any thread, and do not hold it up. All methods block
/// for as long as the disk does.
public protocol RecordLog: Sendable {
    /// What is kept at the moment.
    var extent: LogExtent { get }

    /// Adds records behind the newest one, and tells the place behind them. All are added, or none.
    @discardableResult
    func append(_ records: RecordBuffer) throws(LogFailure) -> StreamPosition

    /// Reads on from a sequence, at least one record if there is one, and no more than so many records and bytes.
    ///
    /// One behind the newest record there is nothing yet, and the run is empty; its start tells the hash there.
    func read(from sequence: Int64, recordsMax: Int, bytesMax: Int) throws(LogFailure) -> RecordRun

    /// Returns when what was appended before the call is as durable as the log can make it.
    func sync() throws(LogFailure)

    /// Records below this sequence need not be kept any longer.
    func drop(below sequence: Int64) throws(LogFailure)
}

/// What a log keeps.
public struct LogExtent: Hashable, Sendable {
    /// The oldest record that can be read; one behind the newest when there is none.
    public var oldest: Int64
    public var newest: StreamPosition
    /// What survives the machine's failure; in memory, what survives is the newest.
    public var durable: StreamPosition

    public init(oldest: Int64, newest: StreamPosition, durable: StreamPosition) {
        self.oldest = oldest
        self.newest = newest
        self.durable = durable
    }

    func check(_ sequence: Int64) throws(LogFailure) {
        guard sequence >= oldest else { throw .notKept(sequence, oldest: oldest) }
        guard sequence <= newest.sequence + 1 else { throw .ahead(sequence, newest: newest.sequence) }
    }
}

/// Why a log could not do what was asked, in one line.
public enum LogFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case notKept(Int64, oldest: Int64)
    case ahead(Int64, newest: Int64)
    case recordTooLarge(byteCount: Int)
    /// What was written is not there any more as it was written.
    case damaged(file: String, offset: Int64, reason: String)
    /// The system refused.
    case unusable(file: String, action: String, reason: String)
    case closed

    public var description: String {
        switch self {
        case .notKept(let sequence, let oldest):
            "record \(sequence) is no longer kept; the oldest that is, is \(oldest)"
        case .ahead(let sequence, let newest):
            "record \(sequence) is ahead of the stream, whose newest is \(newest)"
        case .recordTooLarge(let byteCount):
            "a record has at most \(LogLimits.recordBytesMax) bytes, not \(byteCount)"
        case .damaged(let file, let offset, let reason):
            "\(file) is damaged at byte \(offset): \(reason). Restore it from a copy; nothing of it was changed"
        case .unusable(let file, let action, let reason):
            "cannot \(action) \(file) (\(reason))"
        case .closed: "the log is closed"
        }
    }
}

extension RecordBuffer {
    /// What a log takes: nothing too large.
    func checkSizes() throws(LogFailure) {
        guard byteCount > LogLimits.recordBytesMax else { return }
        try forEachBytes { (record) throws(LogFailure) in
            guard record.count <= LogLimits.recordBytesMax else { throw .recordTooLarge(byteCount: record.count) }
        }
    }
}
