import TradeModel

/// Records that follow each other in a stream, with the places before and behind them.
public struct RecordRun: Hashable, Sendable {
    /// Behind the record before the first one.
    public var start: StreamPosition
    /// Behind the last record; the same as the start when there is none.
    public var end: StreamPosition
    public var records: RecordBuffer

    public init(start: StreamPosition, end: StreamPosition, records: RecordBuffer) {
        self.start = start
        self.end = end
        self.records = records
    }

    /// Chains the hash over the records.
    public init(start: StreamPosition, records: RecordBuffer) {
        let sequence = start.sequence + Int64(records.count)
        self.init(
            start: start, end: StreamPosition(sequence: sequence, hash: records.hash(after: start.hash)),
            records: records)
    }

    public var first: Int64 { start.sequence + 1 }
    public var isEmpty: Bool { records.isEmpty }

    /// Whether the records lead from the start to the end.
    public var isConsistent: Bool {
        end.sequence - start.sequence == Int64(records.count) && records.hash(after: start.hash) == end.hash
    }
}
