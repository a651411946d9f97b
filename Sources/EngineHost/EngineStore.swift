import Foundation
import ServiceKit
import TradeEngine
import TradeFeed
import TradeModel

/// What an engine keeps: the commands that it took in, the records that it made of them, and snapshots, so that the
/// start need not repeat all of them.
///
/// Command n has made record n. The commands are what counts: they are written ahead, and whatever is missing of the
/// records is made anew from them.
struct EngineStore {
    private static let snapshotCountMax = 2
    private static let nameDigits = 20
    private static let replayCountMax = 10_000
    private static let replayBytesMax = 8 << 20

    /// nil where nothing is kept but the newest records.
    let commands: SegmentLog?
    let records: any RecordLog
    private let folder: String?
    private let settings: EngineSettings

    init(_ settings: EngineSettings, log: Log) throws {
        self.settings = settings
        folder = settings.folder
        guard let folder else {
            commands = nil
            records = MemoryLog(recordsMax: Int(clamping: settings.keptRecords), bytesMax: settings.keptBytesMax)
            return
        }
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw EngineFailure("cannot make the folder \(folder): \(error.localizedDescription)")
        }
        let commands = try SegmentLog(folder: folder + "/commands", settings: .init(sync: .everyAppend))
        let records = try SegmentLog(folder: folder + "/records", settings: .init(sync: .onDemand))
        for cut in [commands.cutTail, records.cutTail].compactMap(\.self) {
            log.warning("a log was cut", ["where": cut.description])
        }
        self.commands = commands
        self.records = records
    }

    /// Where the feed remembers how far its consumers are.
    var placeFile: String? { folder.map { $0 + "/consumers" } }

    // MARK: Leading

    /// By what right the engine leads, or whom it follows, beginning with this start.
    func lead() throws -> EngineLead {
        let known = try leadFile.flatMap { try EngineLead.read($0) }
        var lead = known ?? .first
        if let leader = settings.leader {
            // Started again as it was started before it was promoted, it would be nobody's leader by mistake.
            if lead.leader == nil, lead.promotions.last?.followed == leader, !settings.stepsDown {
                throw EngineFailure(
                    "this engine leads since epoch \(lead.epoch), when it took the place of the one at \(leader); "
                        + "start it without '--follow', or with '--step-down' if that one leads again")
            }
            lead.follow(leader, isEmpty: known == nil && records.extent.newest == .start)
            try keep(lead)
        } else if let leader = lead.leader {
            throw EngineFailure(
                "\(folder!) belongs to a follower of \(leader); start it with '--follow \(leader)', and let it lead "
                    + "by 'settle engine promote'")
        }
        return lead
    }

    /// Returns when it would survive the machine's failure.
    func keep(_ lead: EngineLead) throws {
        if let leadFile { try lead.write(to: leadFile) }
    }

    private var leadFile: String? { folder.map { $0 + "/lead" } }

    // MARK: Starting

    /// The engine as it was: from the newest snapshot, and all commands behind it.
    func restore(log: Log) throws -> MatchingEngine {
        guard let commands else { return MatchingEngine(limits: settings.limits) }
        let written = records.extent.newest.sequence
        var engine = try newestSnapshot(upTo: written, log: log)
        let snapshot = engine.sequence
        let newest = commands.extent.newest.sequence
        guard Int64(engine.sequence) <= newest else {
            throw EngineFailure(
                "the snapshot at record \(engine.sequence) is ahead of the commands in \(commands.folder), which "
                    + "end at \(newest): a part of them is missing")
        }
        while engine.sequence < newest {
            let run = try commands.read(
                from: Int64(engine.sequence) + 1, recordsMax: Self.replayCountMax, bytesMax: Self.replayBytesMax)
            try replay(run, in: &engine)
        }
        guard records.extent.newest == StreamPosition(sequence: Int64(engine.sequence), hash: engine.hash) else {
            throw EngineFailure(
                "the records end at \(records.extent.newest.sequence) with another hash than the commands make, which "
                    + "end at \(engine.sequence): one of the logs is another engine's, or another version has made it")
        }
        if engine.sequence > 0 {
            log.info("engine restored", ["snapshot": "\(snapshot)", "sequence": "\(engine.sequence)"])
        }
        return engine
    }

    /// Carries commands out again. Records that were not written any more are written now.
    private func replay(_ run: RecordRun, in engine: inout MatchingEngine) throws {
        var missing = RecordBuffer()
        let written = records.extent.newest.sequence
        guard Int64(engine.sequence) <= written else {
            throw EngineFailure(
                "the records end at \(written), before the snapshot at \(engine.sequence): a part of them is missing")
        }
        var coming = run.records.dropFirst(MatchingEngine.announcingDistance).makeIterator()
        for command in run.records {
            coming.next()?.withUnsafeBytes { engine.announce($0) }
            let sequence = Int64(engine.sequence) + 1
            do {
                try command.withUnsafeBytes { bytes in
                    let record = try engine.apply(bytes)
                    if sequence > written { missing.append(record) }
                }
            } catch {
                throw EngineFailure("command \(sequence) in the log is none: \(error)")
            }
        }
        if !missing.isEmpty { try records.append(missing) }
    }

    /// An engine at the newest snapshot that is not ahead of the records, or at its beginning: what is missing of the
    /// records is made anew, and for that the engine must pass through it.
    private func newestSnapshot(upTo written: Int64, log: Log) throws -> MatchingEngine {
        for name in try snapshotNames().reversed() where Int64(name.prefix(Self.nameDigits)) ?? .max <= written {
            let file = try DurableFile.read("\(folder!)/snapshots/\(name)")
            do {
                return try Self.engine(from: file)
            } catch {
                // The one before serves as well; it only takes longer.
                log.warning("a snapshot is left aside", ["file": name, "reason": "\(error)"])
            }
        }
        return MatchingEngine(limits: settings.limits)
    }

    private static func engine(from snapshot: [UInt8]) throws(SnapshotProblem) -> MatchingEngine {
        // An array's own bytes can be had in a closure alone, which cannot give back an engine.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: snapshot.count, alignment: 8)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: snapshot)
        return try MatchingEngine.from(snapshot: UnsafeRawBufferPointer(bytes))
    }

    /// The oldest first.
    private func snapshotNames() throws(LogFailure) -> [String] {
        try DurableFile.names(inFolder: folder! + "/snapshots").filter { $0.hasSuffix(".snapshot") }.sorted()
    }

    /// When the newest command that is still there was taken in.
    func lastTime() throws -> Timestamp? {
        guard let commands, commands.extent.newest.sequence >= commands.extent.oldest else { return nil }
        let run = try commands.read(from: commands.extent.newest.sequence, recordsMax: 1, bytesMax: 1)
        return try run.records.first { _ in true }.map { bytes in
            try Array(bytes).withUnsafeBytes { try EngineCommand(bytes: $0).time }
        }
    }

    // MARK: Running

    /// Keeps the state as it is, and drops the commands that the snapshot before it makes unnecessary.
    func takeSnapshot(of engine: borrowing MatchingEngine) throws(LogFailure) {
        guard let folder, let commands else { return }
        // A start from the snapshot makes no record before it.
        try records.sync()
        let digits = String(engine.sequence)
        let name = String(repeating: "0", count: Self.nameDigits - digits.count) + digits
        try DurableFile.write(engine.snapshot(), to: "\(folder)/snapshots/\(name).snapshot")
        let names = try snapshotNames()
        for name in names.dropLast(Self.snapshotCountMax) { try DurableFile.remove("\(folder)/snapshots/\(name)") }
        if let oldest = names.suffix(Self.snapshotCountMax).first.flatMap({ Int64($0.prefix(Self.nameDigits)) }),
            names.count >= Self.snapshotCountMax
        {
            try commands.drop(below: oldest + 1)
        }
    }

    /// Drops records that nobody needs any more.
    ///
    /// - Parameter keptFrom: the first that a known consumer may ask for; nil while none is known.
    func dropRecords(keptFrom: Int64?) throws(LogFailure) {
        let newest = records.extent.newest.sequence
        try records.drop(below: min(keptFrom ?? .max, newest - settings.keptRecords))
    }

    func close() throws(LogFailure) {
        try commands?.close()
        try (records as? SegmentLog)?.close()
    }
}
