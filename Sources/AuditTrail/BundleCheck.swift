import Foundation
import Glibc
import TradeModel

/// Looks through a bundle: whether it is what was sealed, whole, and adds up. No database is asked.
///
/// One batch is in memory at a time, and a million balances.
public final class BundleCheck {
    /// So many findings are named; what comes after them is not looked for.
    static let findingsMax = 100
    /// A batch of ours has some thousands of lines.
    static let batchLinesMax = 1_000_000
    static let batchBytesMax = 1 << 28

    public let folder: String
    public let manifest: BundleManifest
    /// From when to before when.
    public let period: Range<Timestamp>
    public internal(set) var findings: [BundleFinding] = []
    public private(set) var sealCount: Int64 = 0
    /// How many lines of each table were read.
    public private(set) var lines: [SealedTable: Int64] = [:]
    /// The chain of the seal before, or of the last seal that was read.
    public private(set) var head: SealMark
    public private(set) var before: SealMark
    private let noted: [SealMark]
    /// How many batches were committed within the period, of those that were read.
    private var batchesOfPeriod: Int64 = 0

    private var sections: [SealedTable: BundleSection] = [:]
    private var decimals: [Identifier: Int] = [:]
    private var markets: [Identifier: BatchBooks.Market] = [:]

    /// - Parameter noted: places of the chain that must be in it.
    public init(_ folder: String, noted: [SealMark] = []) throws(BundleProblem) {
        self.folder = folder
        self.noted = noted
        manifest = try Self.manifest(of: folder)
        guard let period = manifest.period, let before = manifest.before.mark else {
            throw BundleProblem("\(BundleManifest.fileName) says no period, or no seal before it")
        }
        self.period = period
        self.before = before
        head = before
    }

    static func manifest(of folder: String) throws(BundleProblem) -> BundleManifest {
        let name = BundleManifest.fileName
        let descriptor = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw BundleProblem(
                errno == ENOENT || errno == ENOTDIR ? "it has no \(name), as a bundle has" : "\(name) cannot be opened")
        }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= BundleManifest.bytesMax
        else { throw BundleProblem("\(name) is no plain file, or larger than that of a bundle") }
        var bytes = [UInt8](repeating: 0, count: BundleManifest.bytesMax)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { break }
            count += more
        }
        return try BundleManifest(decoding: Array(bytes[..<count]))
    }

    /// Whether so much was found that no more is looked for.
    public var isTired: Bool { findings.count >= Self.findingsMax }

    func note(_ finding: BundleFinding) {
        if !isTired { findings.append(finding) }
    }

    /// Goes through everything. Asked between seals, `isCancelled` ends it.
    ///
    /// - Parameter previous: the bundle of the time before this one's, to which it must be joined.
    public func run(
        after previous: String? = nil, progress: (Int64) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws(BundleProblem) {
        try checkFolder()
        for table in SealedTable.allCases {
            sections[table] = BundleSection(
                try BundleFile(BundleContent.table(table).fileName, columns: table.columns.count, in: folder))
        }
        let seals = try BundleFile(BundleContent.seals.fileName, columns: Seal.columns.count, in: folder)
        var expected: (number: Int64, batch: Int64?) = (before.seal + 1, before.seal == 0 ? 0 : nil)
        check(noted: before)
        checkPeriod()
        var stranger: BundleLine?
        while let line = seals.next(), !isTired {
            if isCancelled() { return }
            guard let seal = Seal(line: line.text) else {
                note(BundleFinding(line, "is not the line of a seal"))
                break
            }
            if seal.number != expected.number || expected.batch.map({ $0 != seal.batches.lowerBound }) ?? false {
                note(BundleFinding(line, "does not follow the seal before it: expected seal \(expected.number)"))
            }
            if seal.chained(to: head.chain) != seal.chain {
                note(BundleFinding(line, "its hash does not follow from what it says and the seal before"))
            }
            expected = (seal.number &+ 1, seal.batches.upperBound)
            head = SealMark(seal)
            check(noted: head)
            sealCount += 1
            let batchesBefore = batchesOfPeriod
            read(seal)
            stranger = batchesOfPeriod == batchesBefore ? line : nil
            if sealCount == 1 { noteStranger(stranger) }
            progress(sealCount)
        }
        guard !isTired else { return }
        if sealCount > 1 { noteStranger(stranger) }
        finish(seals)
        for mark in noted where mark.seal > head.seal || mark.seal < before.seal {
            note(BundleFinding(seals.name, nil, "seal \(mark.seal), which was noted, is not in this bundle"))
        }
        if sections.values.allSatisfy({ $0.file.fault == nil }), !isTired {
            try checkBalances(after: previous)
        }
        if let previous, !isTired { try checkJoin(to: previous) }
    }

    /// What is exported is a day.
    private func checkPeriod() {
        let dayMicroseconds: Int64 = 86_400_000_000
        let (since, until) = (period.lowerBound.microseconds, period.upperBound.microseconds)
        if since % dayMicroseconds != 0 || until - since != dayMicroseconds {
            note(BundleFinding(BundleManifest.fileName, nil, "says a period that is no day of UTC"))
        }
    }

    /// The first seal and the last are in a bundle since they have a batch of its day: no seal covers the period, but
    /// the times of batches are sealed.
    private func noteStranger(_ seal: BundleLine?) {
        if let seal { note(BundleFinding(seal, "has no batch of the day that \(BundleManifest.fileName) says")) }
    }

    private func check(noted mark: SealMark) {
        for other in noted where other.seal == mark.seal && other.chain != mark.chain {
            note(
                BundleFinding(
                    BundleContent.seals.fileName, nil,
                    "seal \(mark.seal) has the hash \(mark.chain), not the noted \(other.chain)"))
        }
    }

    /// There is what the manifest says, and nothing else.
    private func checkFolder() throws(BundleProblem) {
        let known = Set(BundleContent.allCases.map(\.fileName))
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw BundleProblem("its folder cannot be read")
        }
        for name in names.sorted() where !known.contains(name) && name != BundleManifest.fileName {
            note(BundleFinding(name, nil, "is no part of a bundle"))
        }
        let listed = manifest.files.map(\.name)
        guard Set(listed) == known, listed.count == known.count else {
            throw BundleProblem("\(BundleManifest.fileName) does not name the files of a bundle")
        }
    }

    /// The files must end where the seals do, and be those of the manifest.
    private func finish(_ seals: BundleFile) {
        for table in SealedTable.allCases {
            guard let section = sections[table] else { continue }
            if section.file.fault == nil, section.file.next() != nil {
                note(BundleFinding(section.file.name, section.file.lineCount, "no seal covers this line"))
                while section.file.next() != nil {}
            }
            close(section.file)
        }
        while seals.next() != nil {}
        close(seals)
        if manifest.after.mark != head {
            note(
                BundleFinding(
                    BundleManifest.fileName, nil,
                    "says that the chain ends with seal \(manifest.after.seal), but its seals end with \(head)"))
        }
    }

    /// Compares a file that was read to its end with what the manifest says of it.
    func close(_ file: BundleFile) {
        if let fault = file.fault {
            note(BundleFinding(file.name, nil, fault))
            return
        }
        guard let entry = manifest.files.first(where: { $0.name == file.name }) else { return }
        if entry.lines != file.lineCount || entry.bytes != file.byteCount {
            note(
                BundleFinding(
                    file.name, nil,
                    "has \(file.lineCount) lines and \(file.byteCount) bytes, the manifest says \(entry.lines) and "
                        + "\(entry.bytes)"))
        } else if entry.sha256 != "\(file.wholeDigest())" {
            note(BundleFinding(file.name, nil, "is not the file that the manifest names: its SHA-256 is another"))
        }
    }

    // MARK: One seal

    private func read(_ seal: Seal) {
        for (table, content) in zip(SealedTable.allCases, seal.contents) {
            sections[table]?.begin(content.lines)
            lines[table, default: 0] &+= content.lines
        }
        readNames()
        readBatches()
        for (table, content) in zip(SealedTable.allCases, seal.contents) {
            guard let section = sections[table] else { continue }
            let first = section.firstLine
            if let stranger = section.drain() {
                note(BundleFinding(stranger, "its batch is not among those of seal \(seal.number)"))
            }
            if section.isShort {
                if section.file.fault == nil {
                    note(
                        BundleFinding(
                            section.file.name, section.file.lineCount, "ends here; seal \(seal.number) has more"))
                }
            } else if section.file.sectionDigest() != content.digest {
                note(
                    BundleFinding(
                        section.file.name, first,
                        "lines \(first) to \(section.file.lineCount) are not what seal \(seal.number) covers"))
            }
        }
    }

    /// The assets and markets that the stretch names.
    private func readNames() {
        (decimals, markets) = ([:], [:])
        while let line = sections[.assets]?.next() {
            guard let fields = line.fields, let number = Int(fields[1]), (0...18).contains(number) else {
                note(BundleFinding(line, "is no asset with its decimals"))
                continue
            }
            guard decimals.count < Self.batchLinesMax else { break }
            decimals[Identifier(stored: fields[0])] = number
        }
        while let line = sections[.markets]?.next() {
            guard let fields = line.fields, let rule = FeeRule(rawValue: fields[3]) else {
                note(BundleFinding(line, "is no market with its assets and its rule for fees"))
                continue
            }
            guard markets.count < Self.batchLinesMax else { break }
            markets[Identifier(stored: fields[0])] = BatchBooks.Market(
                base: Identifier(stored: fields[1]), quote: Identifier(stored: fields[2]),
                feesAreReceived: rule == .received)
        }
    }

    private func readBatches() {
        guard let batches = sections[.batches] else { return }
        var last: Int64?
        while !isTired, let line = batches.next() {
            guard let fields = line.fields, let number = Int64(fields[0]), let time = Int64(fields[1]),
                let trades = Int64(fields[4]), let operations = Int64(fields[5]), let entries = Int64(fields[7])
            else {
                note(BundleFinding(line, "is no batch"))
                continue
            }
            if let last, number <= last { note(BundleFinding(line, "is not in the order of batches")) }
            last = number
            if period.contains(Timestamp(microseconds: time)) { batchesOfPeriod += 1 }
            var books = BatchBooks(
                header: line, says: (trades, operations, entries), decimals: decimals, markets: markets)
            for line in take(.trades, of: number) {
                if let fields = line.fields { books.add(trade: line, fields) }
            }
            for line in take(.operations, of: number) {
                if let fields = line.fields { books.add(operation: line, fields) }
            }
            for line in take(.reversals, of: number) {
                if let fields = line.fields { books.add(reversal: fields) }
            }
            let parsed = take(.entries, of: number).compactMap { line in
                let entry = BatchBooks.Entry(line)
                if entry == nil { note(BundleFinding(line, "is no ledger entry")) }
                return entry
            }
            books.finish(parsed)
            for finding in books.findings { note(finding) }
        }
    }

    /// The lines of one batch. What stands before it belongs to none.
    private func take(_ table: SealedTable, of batch: Int64) -> [BundleLine] {
        guard let section = sections[table] else { return [] }
        var found: [BundleLine] = []
        var bytes = 0
        while let line = section.peek() {
            guard let number = line.fields.flatMap({ Int64($0[0]) }) else {
                note(BundleFinding(line, "has other fields than \(table.noun) have"))
                _ = section.next()
                if isTired { break }
                continue
            }
            guard number <= batch else { break }
            _ = section.next()
            if number < batch {
                note(BundleFinding(line, "its batch \(number) is not there, or not in order"))
                if isTired { break }
            } else {
                found.append(line)
            }
            bytes += line.text.utf8.count
            if found.count > Self.batchLinesMax || bytes > Self.batchBytesMax {
                note(BundleFinding(line, "batch \(batch) has more lines than any batch of settle"))
                break
            }
        }
        return found
    }
}

/// The lines of one table that belong to one seal.
final class BundleSection {
    let file: BundleFile
    private var remaining: Int64 = 0
    private var pending: BundleLine?
    private(set) var firstLine: Int64 = 1
    /// Whether the file ended before the seal's lines did.
    private(set) var isShort = false

    init(_ file: BundleFile) {
        self.file = file
    }

    func begin(_ lines: Int64) {
        remaining = lines
        firstLine = file.lineCount + 1
        isShort = false
    }

    func peek() -> BundleLine? {
        if pending == nil, remaining > 0, !isShort {
            pending = file.next()
            isShort = pending == nil
            remaining -= 1
        }
        return pending
    }

    func next() -> BundleLine? {
        defer { pending = nil }
        return peek()
    }

    /// Reads what is left; returns the first line of it.
    func drain() -> BundleLine? {
        let first = next()
        while next() != nil {}
        return first
    }
}

extension BatchBooks.Entry {
    /// nil for what is none.
    init?(_ line: BundleLine) {
        guard let fields = line.fields, let place = Int64(fields[1]), let version = Int64(fields[5]) else { return nil }
        let amounts = fields[9...12].compactMap { Int128($0) }
        guard amounts.count == 4, amounts.allSatisfy({ Amount(units: $0) != nil }) else { return nil }
        self.init(
            line: line, place: place, account: .init(kind: fields[2], id: Identifier(stored: fields[3])),
            asset: Identifier(stored: fields[4]), version: version, kind: fields[6],
            market: Identifier(stored: fields[7]), cause: Identifier(stored: fields[8]), available: amounts[0],
            frozen: amounts[1], availableAfter: amounts[2], frozenAfter: amounts[3])
    }
}
