import ServiceKit
import TradeModel

/// Keeps records in files that are only ever appended to, and dropped from the oldest on.
///
/// A folder belongs to one process at a time. After a crash the log opens with everything that was durable: what was
/// half written at the end is cut off, and told in `cutTail`; anything else that is not as it was written is refused.
public final class SegmentLog: RecordLog {
    /// When what was appended is made to survive the machine's failure. A crash of the process alone loses nothing.
    public enum SyncPolicy: Hashable, Sendable {
        /// Before an append returns.
        case everyAppend
        /// By `run`, this often; and whenever somebody calls `sync`.
        case every(Duration)
        /// Only when somebody calls `sync`.
        case onDemand
    }

    public struct Settings: Hashable, Sendable {
        /// How large a file becomes before the next one is begun.
        public var segmentBytesMax: Int64
        public var sync: SyncPolicy
        /// Whether opening reads all files, and not the newest alone; the others are checked as they are read.
        public var checksEverything: Bool

        public init(
            segmentBytesMax: Int64 = 67_108_864, sync: SyncPolicy = .every(.milliseconds(5)),
            checksEverything: Bool = false
        ) {
            self.segmentBytesMax = segmentBytesMax
            self.sync = sync
            self.checksEverything = checksEverything
        }
    }

    /// What a crash had left half written.
    public struct CutTail: Hashable, Sendable, CustomStringConvertible {
        public var file: String
        public var offset: Int64
        public var byteCount: Int64

        public init(file: String, offset: Int64, byteCount: Int64) {
            self.file = file
            self.offset = offset
            self.byteCount = byteCount
        }

        public var description: String {
            "\(file) ended in \(byteCount) \(byteCount == 1 ? "byte" : "bytes") half written, cut off at byte \(offset)"
        }
    }

    /// What the one who appends needs, and nobody else touches.
    struct Writer: Sendable {
        var file: LogFile
        var end: Int64
        var newest: StreamPosition
        var isClosed = false
        var buffer: [UInt8] = []
    }

    /// What is shared with the readers; held for moments only, never while the disk works.
    struct State: Sendable {
        var segments: [Segment]
        var newest: StreamPosition
        var durable: StreamPosition
        /// After a failure of which nobody knows what it left behind, nothing is appended any more.
        var failure: LogFailure?
        var openFiles: [LogFile] = []
        var readers: [ReaderPlace] = []
    }

    public let folder: String
    public let settings: Settings
    /// What opening the log had to cut off.
    public let cutTail: CutTail?

    let state: Guarded<State>
    private let writer: Guarded<Writer>
    private let lock: LogFile

    /// Opens the log in a folder, or begins one there behind a place that is the stream's start unless it goes on from
    /// somewhere, such as a snapshot.
    public init(
        folder: String, after start: StreamPosition = .start, settings: Settings = Settings()
    ) throws(LogFailure) {
        let recovery = try Recovery(folder: folder, start: start, checksEverything: settings.checksEverything)
        self.folder = folder
        self.settings = settings
        lock = recovery.lock
        cutTail = recovery.cutTail
        // What was found is durable from here on.
        try recovery.file.sync()
        writer = Guarded(
            Writer(file: recovery.file, end: recovery.segments.last!.end, newest: recovery.newest))
        state = Guarded(State(segments: recovery.segments, newest: recovery.newest, durable: recovery.newest))
    }

    public var extent: LogExtent {
        state.withLock { state in state.extent }
    }

    /// A crash in the middle may leave the first of the records.
    @discardableResult
    public func append(_ records: RecordBuffer) throws(LogFailure) -> StreamPosition {
        try records.checkSizes()
        return try writer.withLock { (writer) throws(LogFailure) in
            guard !writer.isClosed else { throw .closed }
            if let failure = state.withLock({ $0.failure }) { throw failure }
            guard !records.isEmpty else { return writer.newest }
            if writer.end >= settings.segmentBytesMax { try beginSegment(&writer) }
            try write(records, &writer)
            if settings.sync == .everyAppend { try sync(writer.file, upTo: writer.newest) }
            return writer.newest
        }
    }

    public func sync() throws(LogFailure) {
        let (file, newest) = writer.withLock { ($0.file, $0.newest) }
        guard state.withLock({ $0.durable.sequence < newest.sequence }) else { return }
        try sync(file, upTo: newest)
    }

    /// Syncs as often as the policy says, until the task is cancelled; then once more.
    ///
    /// After each time it tells, so that what waits for durable records goes on.
    public func run(onSync: @escaping @Sendable () -> Void = {}) async throws {
        guard case .every(let interval) = settings.sync else { return }
        let disk = Disk()
        while true {
            let isCancelled = (try? await Task.sleep(for: interval)) == nil
            let before = extent.durable
            try await disk.sync(self)
            if extent.durable != before { onSync() }
            if isCancelled { return }
        }
    }

    /// Makes everything durable and ends the log in good order; records can still be read.
    public func close() throws(LogFailure) {
        try writer.withLock { (writer) throws(LogFailure) in
            guard !writer.isClosed else { return }
            writer.isClosed = true
            if let failure = state.withLock({ $0.failure }) { throw failure }
            try sync(writer.file, upTo: writer.newest)
            try write(RecordBuffer(), &writer)
            try sync(writer.file, upTo: writer.newest)
        }
    }

    public func drop(below sequence: Int64) throws(LogFailure) {
        let dropped = state.withLock { state in
            var count = 0
            while count + 1 < state.segments.count, state.segments[count + 1].start.sequence < sequence { count += 1 }
            let dropped = state.segments.prefix(count).map(\.path)
            state.segments.removeFirst(count)
            state.openFiles.removeAll { dropped.contains($0.path) }
            state.readers.removeAll { dropped.contains($0.path) }
            return dropped
        }
        // From the oldest on, so that a crash leaves no hole.
        for path in dropped { try LogFile.remove(path) }
        if !dropped.isEmpty { try LogFile.syncFolder(folder) }
    }

    /// A thread for the disk, which may take its time.
    private actor Disk {
        private let executor = BlockingExecutor(label: "settle.log")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        func sync(_ log: SegmentLog) throws(LogFailure) { try log.sync() }
    }
}

extension SegmentLog.State {
    var extent: LogExtent {
        LogExtent(oldest: segments[0].start.sequence + 1, newest: newest, durable: durable)
    }
}

extension SegmentLog {
    /// Writes the records in blocks, or an empty block if there are none; if that fails, nothing of it stays.
    private func write(_ records: RecordBuffer, _ writer: inout Writer) throws(LogFailure) {
        var blocks: [Segment.IndexEntry] = []
        var newest = writer.newest
        var rest = records
        let durable = state.withLock { $0.durable.sequence }
        writer.buffer.removeAll(keepingCapacity: true)
        repeat {
            let (piece, further) = rest.split(fitting: LogLimits.blockBytesMax)
            rest = further
            blocks.append(
                Segment.IndexEntry(sequence: newest.sequence + 1, offset: writer.end + Int64(writer.buffer.count)))
            let run = RecordRun(start: newest, records: piece)
            LogBlock(run: run, durable: durable).encode(into: &writer.buffer)
            newest = run.end
        } while !rest.isEmpty
        do {
            try writer.file.write(writer.buffer, at: writer.end)
        } catch {
            do {
                try writer.file.truncate(to: writer.end)
            } catch {
                fail(error)
            }
            throw error
        }
        writer.end += Int64(writer.buffer.count)
        writer.newest = newest
        if writer.buffer.capacity > 4 * LogLimits.blockBytesMax { writer.buffer = [] }
        let end = writer.end
        state.withLock { [newest, blocks] state in
            let last = state.segments.count - 1
            if !records.isEmpty {
                for block in blocks { state.segments[last].note(block.sequence, at: block.offset) }
            }
            state.segments[last].end = end
            state.newest = newest
        }
    }

    private func beginSegment(_ writer: inout Writer) throws(LogFailure) {
        // A later file says of the earlier ones that they are whole.
        try sync(writer.file, upTo: writer.newest)
        let (segment, file) = try Segment.create(inFolder: folder, start: writer.newest)
        writer.file = file
        writer.end = segment.end
        state.withLock { $0.segments.append(segment) }
    }

    private func sync(_ file: LogFile, upTo newest: StreamPosition) throws(LogFailure) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        do {
            try file.sync()
        } catch {
            // The system forgets what it could not write: a second attempt would succeed without it.
            fail(error)
            throw error
        }
        state.withLock { state in
            if state.durable.sequence < newest.sequence { state.durable = newest }
        }
    }

    private func fail(_ failure: LogFailure) {
        state.withLock { $0.failure = $0.failure ?? failure }
    }
}
