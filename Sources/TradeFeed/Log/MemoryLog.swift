import HashChain
import TradeModel
import ServiceKit

/// Keeps the newest records in memory, up to a number of them and of bytes. What leaves it is gone.
public final class MemoryLog: RecordLog {
    /// Records next to each other in memory. Readers share a full one instead of copying it.
    fileprivate struct Chunk: Sendable {
        /// Behind the record before its first.
        let start: StreamPosition
        var bytes: [UInt8] = []
        /// Where each record ends in the bytes, and the hash there.
        var marks: [(end: Int, hash: UInt64)] = []

        var end: StreamPosition {
            StreamPosition(sequence: start.sequence + Int64(marks.count), hash: marks.last?.hash ?? start.hash)
        }
        /// The bytes and what finds them.
        var cost: Int { bytes.count + marks.count * MemoryLayout<(Int, UInt64)>.stride }

        mutating func append(_ records: RecordBuffer) {
            var chain = HashChain(value: end.hash)
            var end = bytes.count
            bytes.append(contentsOf: records.bytes)
            records.forEachBytes { record in
                chain.append(record)
                end += RecordBuffer.lengthBytes + record.count
                marks.append((end, chain.value))
            }
        }
    }

    fileprivate struct State: Sendable {
        /// Never empty; the last one grows.
        var chunks: [Chunk]
        var fullCost = 0
    }

    private let recordsMax: Int
    private let bytesMax: Int
    private let chunkBytesMax: Int
    private let state: Guarded<State>

    /// Begins empty, behind a place that is the stream's start unless it goes on from somewhere.
    public init(after start: StreamPosition = .start, recordsMax: Int, bytesMax: Int) {
        precondition(recordsMax > 0 && bytesMax > 0, "a log that keeps nothing")
        self.recordsMax = recordsMax
        self.bytesMax = bytesMax
        chunkBytesMax = min(LogLimits.blockBytesMax, max(1, bytesMax / 8))
        state = Guarded(State(chunks: [Chunk(start: start)]))
    }

    public var extent: LogExtent { state.withLock { extent(of: $0) } }

    private func extent(of state: State) -> LogExtent {
        let newest = state.chunks.last!.end
        let oldest = max(state.chunks[0].start.sequence + 1, newest.sequence - Int64(recordsMax) + 1)
        return LogExtent(oldest: oldest, newest: newest, durable: newest)
    }

    @discardableResult
    public func append(_ records: RecordBuffer) throws(LogFailure) -> StreamPosition {
        try records.checkSizes()
        return state.withLock { state in
            var rest = records
            while !rest.isEmpty {
                var last = state.chunks.count - 1
                if state.chunks[last].bytes.count >= chunkBytesMax {
                    state.fullCost += state.chunks[last].cost
                    var next = Chunk(start: state.chunks[last].end)
                    next.bytes.reserveCapacity(chunkBytesMax)
                    state.chunks.append(next)
                    last += 1
                }
                let (piece, further) = rest.split(fitting: chunkBytesMax - state.chunks[last].bytes.count)
                state.chunks[last].append(piece)
                rest = further
            }
            makeRoom(&state)
            return state.chunks.last!.end
        }
    }

    /// Drops what is beyond the limits, a chunk at a time.
    private func makeRoom(_ state: inout State) {
        let newest = state.chunks.last!.end.sequence
        var dropped = 0
        while dropped < state.chunks.count - 1 {
            let isOver = state.fullCost + state.chunks.last!.cost > bytesMax
            let isOld = newest - state.chunks[dropped].end.sequence >= Int64(recordsMax)
            guard isOver || isOld else { break }
            state.fullCost -= state.chunks[dropped].cost
            dropped += 1
        }
        if dropped > 0 { state.chunks.removeFirst(dropped) }
    }

    public func read(from sequence: Int64, recordsMax: Int, bytesMax: Int) throws(LogFailure) -> RecordRun {
        let (chunk, place) = try state.withLock { (state) throws(LogFailure) -> (Chunk, Int) in
            try extent(of: state).check(sequence)
            var low = 0
            var high = state.chunks.count - 1
            while low < high {
                let middle = (low + high + 1) / 2
                if state.chunks[middle].start.sequence < sequence { low = middle } else { high = middle - 1 }
            }
            let place = Int(sequence - 1 - state.chunks[low].start.sequence)
            guard low == state.chunks.count - 1 else { return (state.chunks[low], place) }
            // The writer goes on in it, and would have to copy all of it if a reader held it.
            return (state.chunks[low].part(from: place, recordsMax: recordsMax, bytesMax: bytesMax), 0)
        }
        return chunk.run(from: place, recordsMax: recordsMax, bytesMax: bytesMax)
    }

    public func sync() throws(LogFailure) {}

    public func drop(below sequence: Int64) throws(LogFailure) {
        state.withLock { state in
            let dropped = state.chunks.dropLast().prefix { $0.end.sequence < sequence }
            state.fullCost -= dropped.reduce(0) { $0 + $1.cost }
            state.chunks.removeFirst(dropped.count)
        }
    }
}

extension MemoryLog.Chunk {
    /// One behind the last of so many records from a place on that do not go beyond so many bytes.
    private func border(from place: Int, recordsMax: Int, bytesMax: Int) -> Int {
        let start = offset(of: place)
        var border = min(place + 1, marks.count)
        while border < marks.count, border - place < recordsMax, marks[border].end - start <= bytesMax { border += 1 }
        return border
    }

    private func offset(of place: Int) -> Int { place == 0 ? 0 : marks[place - 1].end }

    private func position(before place: Int) -> StreamPosition {
        StreamPosition(sequence: start.sequence + Int64(place), hash: place == 0 ? start.hash : marks[place - 1].hash)
    }

    fileprivate func part(from place: Int, recordsMax: Int, bytesMax: Int) -> Self {
        let border = border(from: place, recordsMax: recordsMax, bytesMax: bytesMax)
        let start = offset(of: place)
        var part = Self(start: position(before: place))
        part.bytes = Array(bytes[start..<offset(of: border)])
        part.marks = marks[place..<border].map { ($0.end - start, $0.hash) }
        return part
    }

    fileprivate func run(from place: Int, recordsMax: Int, bytesMax: Int) -> RecordRun {
        let border = border(from: place, recordsMax: recordsMax, bytesMax: bytesMax)
        return RecordRun(
            start: position(before: place), end: position(before: border),
            records: RecordBuffer(
                trusting: bytes, in: offset(of: place)..<offset(of: border), count: border - place))
    }
}
