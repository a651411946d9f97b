extension SegmentLog {
    /// Where a reader goes on, so that it need not be looked for again.
    struct ReaderPlace: Sendable {
        var sequence: Int64
        var path: String
        var offset: Int64
    }

    /// What a reader reads next: a segment, from a block on that is at or before the sequence.
    fileprivate struct Place: Sendable {
        var segment: Segment
        var offset: Int64
        var file: LogFile?
    }

    public func read(from sequence: Int64, recordsMax: Int, bytesMax: Int) throws(LogFailure) -> RecordRun {
        var next = sequence
        var collected = Collected(recordsMax: recordsMax, bytesMax: bytesMax)
        while collected.run?.isEmpty ?? true {
            let found = try state.withLock { (state) throws(LogFailure) -> Place? in
                try state.extent.check(next)
                return next <= state.newest.sequence ? state.place(of: next) : nil
            }
            guard let found else {
                return state.withLock { RecordRun(start: $0.newest, records: RecordBuffer()) }
            }
            guard let file = try open(found) else { continue }
            let offset = try found.segment.index == nil ? index(found, file, for: next) : found.offset
            var reader = BlockReader(
                file, from: offset, to: found.segment.end, windowBytes: min(max(bytesMax, 16_384), 1_048_576))
            while let header = try reader.header() {
                if header.end.sequence >= next, header.count > 0 {
                    guard try collected.take(from: &reader, from: sequence) else { break }
                    next = header.end.sequence + 1
                }
                reader.skip(header)
            }
            guard let run = collected.run else {
                throw reader.damaged("record \(next) is missing")
            }
            remember(ReaderPlace(sequence: run.end.sequence + 1, path: file.path, offset: reader.offset))
        }
        return collected.run!
    }

    /// Nil when the segment was dropped meanwhile.
    private func open(_ place: Place) throws(LogFailure) -> LogFile? {
        if let file = place.file { return file }
        do {
            let file = try LogFile.open(place.segment.path, writable: false)
            state.withLock { state in
                if state.openFiles.count >= LogLimits.openSegmentsMax { state.openFiles.removeFirst() }
                state.openFiles.append(file)
            }
            return file
        } catch {
            let path = place.segment.path
            guard state.withLock({ state in state.segments.contains { $0.path == path } }) else { return nil }
            throw error
        }
    }

    /// Makes the index of an older segment, and looks the sequence up.
    private func index(_ place: Place, _ file: LogFile, for sequence: Int64) throws(LogFailure) -> Int64 {
        var segment = place.segment
        let index = try Segment.index(of: file, to: segment.end)
        segment.index = index
        state.withLock { state in
            if let at = state.segments.firstIndex(where: { $0.path == file.path }) { state.segments[at].index = index }
        }
        return segment.offset(for: sequence)
    }

    private func remember(_ place: ReaderPlace) {
        state.withLock { state in
            if state.readers.count >= LogLimits.rememberedReadersMax { state.readers.removeFirst() }
            state.readers.append(place)
        }
    }

    /// What a reader has gathered, up to its limits.
    private struct Collected {
        let recordsMax: Int
        let bytesMax: Int
        private(set) var run: RecordRun?

        init(recordsMax: Int, bytesMax: Int) {
            self.recordsMax = recordsMax
            self.bytesMax = bytesMax
        }

        /// Takes from the next block what is wanted; false when some of it was left.
        mutating func take(from reader: inout BlockReader, from sequence: Int64) throws(LogFailure) -> Bool {
            guard run.map({ $0.records.count < recordsMax && $0.records.byteCount < bytesMax }) ?? true,
                let block = try reader.block()
            else { return false }
            var position = block.run.start
            var records = block.run.records
            if let run {
                guard run.end == position else { throw reader.damaged("it does not go on where the block before ends") }
            } else {
                guard position.sequence < sequence else { throw reader.damaged("record \(sequence) is missing") }
                let skipped: RecordBuffer
                (skipped, records) = records.split(after: Int(sequence - 1 - position.sequence))
                position = RecordRun(start: position, records: skipped).end
            }
            let start = run?.start ?? position
            var taken = run?.records ?? RecordBuffer()
            let (numbered, _) = records.split(after: recordsMax - taken.count)
            let (fitting, _) = numbered.split(fitting: bytesMax - taken.byteCount)
            guard taken.isEmpty || taken.byteCount + fitting.byteCount <= bytesMax else { return false }
            let end = RecordRun(start: position, records: fitting).end
            taken.append(fitting)
            run = RecordRun(start: start, end: end, records: taken)
            guard fitting.count == records.count else { return false }
            guard end == block.run.end else {
                throw reader.damaged("the hash over records \(block.run.first) to \(end.sequence) differs")
            }
            return true
        }
    }
}

extension SegmentLog.State {
    /// Where to look for a record that is kept.
    fileprivate mutating func place(of sequence: Int64) -> SegmentLog.Place {
        var low = 0
        var high = segments.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if segments[middle].start.sequence < sequence { low = middle } else { high = middle - 1 }
        }
        let segment = segments[low]
        let file = openFiles.first { $0.path == segment.path }
        // Who goes on, or begins with the segment, needs no index of it.
        var known = segment
        known.index = known.index ?? []
        if let at = readers.firstIndex(where: { $0.sequence == sequence && $0.path == segment.path }) {
            return SegmentLog.Place(segment: known, offset: readers.remove(at: at).offset, file: file)
        }
        if sequence == segment.start.sequence + 1 {
            return SegmentLog.Place(segment: known, offset: Int64(SegmentHeader.byteCount), file: file)
        }
        return SegmentLog.Place(segment: segment, offset: segment.offset(for: sequence), file: file)
    }
}
