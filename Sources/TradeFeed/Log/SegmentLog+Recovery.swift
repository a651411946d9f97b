import TradeModel

extension SegmentLog {
    /// What a folder holds when a log is opened in it.
    struct Recovery {
        let lock: LogFile
        private(set) var segments: [Segment] = []
        /// The newest segment's.
        private(set) var file: LogFile
        private(set) var newest: StreamPosition
        private(set) var cutTail: CutTail?

        init(folder: String, start: StreamPosition, checksEverything: Bool) throws(LogFailure) {
            let names = try LogFile.names(inFolder: folder)
            lock = try LogFile.open(folder + "/lock", writable: true, creating: true)
            try lock.lock()
            // A segment that was about to begin, and has no record yet.
            for name in names where name.hasSuffix(".log.new") { try LogFile.remove(folder + "/" + name) }

            let paths = names.filter(Segment.isName).sorted().map { folder + "/" + $0 }
            guard let last = paths.last else {
                let (segment, file) = try Segment.create(inFolder: folder, start: start)
                (segments, self.file, newest) = ([segment], file, start)
                return
            }
            for path in paths.dropLast() { segments.append(try Segment.open(try .open(path, writable: false))) }
            file = try LogFile.open(last, writable: true)
            segments.append(try Segment.open(file))
            newest = segments.last!.start
            if checksEverything {
                for (segment, next) in zip(segments, segments.dropFirst()) { try Self.check(segment, before: next) }
            }
            try recoverLast()
        }

        /// An older segment is whole, and leads to where the next one begins.
        private static func check(_ segment: Segment, before next: Segment) throws(LogFailure) {
            var walk = BlockWalk(segment, try .open(segment.path, writable: false))
            while try walk.step() {}
            guard walk.position == next.start else {
                throw walk.reader.damaged(
                    "it ends with record \(walk.position.sequence), \(next.path) does not go on there")
            }
        }

        /// The newest segment may end in what was being written when everything stopped.
        private mutating func recoverLast() throws(LogFailure) {
            let last = segments.count - 1
            var walk = BlockWalk(segments[last], file)
            do {
                while try walk.step() {}
            } catch .damaged(let path, let offset, let reason) {
                let rest = try file.read(at: offset, byteCount: Int(segments[last].end - offset))
                guard LogBlock(rest[...]) == nil, !Self.wasDurable(behind: walk.position.sequence, rest) else {
                    throw .damaged(file: path, offset: offset, reason: reason)
                }
                cutTail = CutTail(file: path, offset: offset, byteCount: segments[last].end - offset)
                try file.truncate(to: offset)
            }
            segments[last].index = walk.index
            segments[last].end = walk.reader.offset
            newest = walk.position
        }

        /// Whether a whole block behind the damage says that what is missing had been durable.
        ///
        /// Where the machine failed, later pages of the file may have reached the disk, and earlier ones not: such
        /// blocks do not say so, and go with the rest.
        static func wasDurable(behind sequence: Int64, _ rest: [UInt8]) -> Bool {
            let magic = withUnsafeBytes(of: LogBlock.magic.littleEndian) { Array($0) }
            var start = 0
            while start + LogBlock.headerBytes <= rest.count {
                if rest[start + 8] == magic[0], rest[(start + 8)..<(start + 12)].elementsEqual(magic),
                    let block = LogBlock(rest[start...]), block.durable > sequence
                {
                    return true
                }
                start += 1
            }
            return false
        }
    }

    /// Goes through a segment and checks all of it.
    private struct BlockWalk {
        private(set) var reader: BlockReader
        private(set) var position: StreamPosition
        private var segment: Segment

        var index: [Segment.IndexEntry] { segment.index ?? [] }

        init(_ segment: Segment, _ file: LogFile) {
            reader = BlockReader(file, from: Int64(SegmentHeader.byteCount), to: segment.end)
            position = segment.start
            self.segment = segment
            self.segment.index = []
        }

        /// False at the end.
        mutating func step() throws(LogFailure) -> Bool {
            guard let header = try reader.header(), let block = try reader.block() else { return false }
            guard block.run.start == position else {
                throw reader.damaged("it does not go on where the block before ends")
            }
            guard block.run.isConsistent else {
                throw reader.damaged("the hash over records \(block.run.first) to \(block.run.end.sequence) differs")
            }
            if !block.run.isEmpty { segment.note(block.run.first, at: reader.offset) }
            position = block.run.end
            reader.skip(header)
            return true
        }
    }
}
