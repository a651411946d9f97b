import TradeModel

extension BundleCheck {
    /// So many balances are held at once; a bundle with more is gone through several times.
    static let balancesMax: Int64 = 1_000_000

    fileprivate struct Key: Hashable {
        let account: BatchBooks.Account
        let asset: Identifier
    }

    fileprivate struct Moment: Equatable {
        var version: Int64 = 0
        var available: Int128 = 0
        var frozen: Int128 = 0

        init() {}

        init?(_ fields: ArraySlice<String>) {
            let numbers = fields.dropFirst().compactMap { Int128($0) }
            guard let first = fields.first, let version = Int64(first), version >= 0, numbers.count == 2,
                numbers.allSatisfy({ Amount(units: $0) != nil })
            else { return nil }
            (self.version, available, frozen) = (version, numbers[0], numbers[1])
        }
    }

    /// A balance, and what moved on it.
    fileprivate struct Course {
        let line: BundleLine
        let opening: Moment
        let closing: Moment
        var moved: Moment
        /// What the last entry says that the balance was after it.
        var last: Moment
        /// What the bundle's entries from before the period come to.
        var earlier = Moment()
        var isKnownBefore = false
    }

    /// What each balance was at first, and what the entries of the period did to it, is what it was in the end.
    ///
    /// No seal covers what it was at first: that follows from the first entry of all on, or from the bundle before.
    func checkBalances(after previous: String?) throws(BundleProblem) {
        let content = BundleContent.balances
        let file = try BundleFile(content.fileName, columns: content.columns.count, in: folder)
        let joins =
            try previous.map { folder throws(BundleProblem) in
                try Self.manifest(of: folder).period?.upperBound == period.lowerBound ? folder : nil
            } ?? nil
        checkTotals(file)
        close(file)
        guard file.fault == nil, !isTired else { return }
        let parts = Int(file.lineCount / Self.balancesMax) + 1
        for part in 0..<parts where !isTired {
            try checkCourses(of: part, among: parts, after: joins)
        }
    }

    /// In each asset all balances together are zero, at first and in the end.
    private func checkTotals(_ file: BundleFile) {
        var totals: [Identifier: (opening: Int128, closing: Int128)] = [:]
        while !isTired, let line = file.next() {
            guard let fields = line.fields, let opening = Moment(fields[3...5]), let closing = Moment(fields[6...8])
            else {
                note(BundleFinding(line, "is no balance"))
                continue
            }
            var total = totals[Identifier(stored: fields[2])] ?? (0, 0)
            // Balances are of 38 digits at most: what wraps here is no sum of ours, and not zero in the end.
            total.opening &+= opening.available &+ opening.frozen
            total.closing &+= closing.available &+ closing.frozen
            totals[Identifier(stored: fields[2])] = total
        }
        for (asset, total) in totals.sorted(by: { $0.key.text < $1.key.text }) {
            for (sum, when) in [(total.opening, "beginning"), (total.closing, "end")] where sum != 0 {
                note(
                    BundleFinding(
                        file.name, nil, "at the \(when) all balances of \(asset) come to \(sum) units, not to zero"))
            }
        }
    }

    private func checkCourses(of part: Int, among parts: Int, after previous: String?) throws(BundleProblem) {
        var courses: [Key: Course] = [:]
        let content = BundleContent.balances
        func key(_ fields: [String], from first: Int) -> Key? {
            let key = Key(
                account: .init(kind: fields[first], id: Identifier(stored: fields[first + 1])),
                asset: Identifier(stored: fields[first + 2]))
            return key.hashValue.magnitude % UInt(parts) == UInt(part) ? key : nil
        }
        let balances = try BundleFile(content.fileName, columns: content.columns.count, in: folder)
        while !isTired, let line = balances.next() {
            guard let fields = line.fields, let key = key(fields, from: 0), let opening = Moment(fields[3...5]),
                let closing = Moment(fields[6...8])
            else { continue }
            let course = Course(line: line, opening: opening, closing: closing, moved: Moment(), last: opening)
            if courses.updateValue(course, forKey: key) != nil {
                note(BundleFinding(line, "this balance stands there twice"))
            }
        }
        try entriesUpToEnd { entry, isEarlier in
            guard !isEarlier || isFirst else { return }
            guard let key = key([entry.account.kind, entry.account.id.text, entry.asset.text], from: 0) else { return }
            guard courses[key] != nil else {
                note(BundleFinding(entry.line, "its balance is not among those of \(content.fileName)"))
                return
            }
            courses[key]!.take(entry, isEarlier: isEarlier)
        }
        for course in courses.values.sorted(by: { $0.line.number < $1.line.number }) {
            if let fault = course.fault { note(BundleFinding(course.line, fault)) }
            if isFirst, course.opening != course.earlier {
                note(BundleFinding(course.line, "does not begin with nothing, or with what earlier entries come to"))
            }
        }
        if let previous { try compare(&courses, with: previous, key: { key($0, from: 0) }) }
    }

    /// What the balances were in the end of the time before is what they were in the beginning of this.
    private func compare(
        _ courses: inout [Key: Course], with previous: String, key: ([String]) -> Key?
    ) throws(BundleProblem) {
        let content = BundleContent.balances
        let file = try BundleFile(content.fileName, columns: content.columns.count, in: previous)
        while !isTired, let line = file.next() {
            guard let fields = line.fields, let key = key(fields) else { continue }
            courses[key]?.isKnownBefore = true
            let opening = courses[key]?.opening ?? Moment()
            if Moment(fields[6...8]) != opening {
                note(
                    BundleFinding(
                        content.fileName, courses[key]?.line.number,
                        "\(fields[0]) \(fields[1]), \(fields[2]) does not begin with what it ended with in \(previous)")
                )
            }
        }
        for course in courses.values where !course.isKnownBefore && course.opening != Moment() {
            note(BundleFinding(course.line, "is not among the balances of \(previous)"))
        }
    }

    /// Whether no seal comes before those of the bundle: it has each entry from the first of all on.
    private var isFirst: Bool { before.seal == 0 }

    /// The entries of batches that were committed before the end of the period, of all those in the bundle's seals,
    /// and whether that was before its beginning.
    private func entriesUpToEnd(_ body: (BatchBooks.Entry, Bool) -> Void) throws(BundleProblem) {
        let batches = try BundleFile(
            BundleContent.table(.batches).fileName, columns: SealedTable.batches.columns.count, in: folder)
        let entries = try BundleFile(
            BundleContent.table(.entries).fileName, columns: SealedTable.entries.columns.count, in: folder)
        var batch: (number: Int64, committedAt: Timestamp)?
        var isAtEnd = false
        while !isTired, let line = entries.next() {
            guard let entry = BatchBooks.Entry(line), let number = Int64(line.fields![0]) else { continue }
            while !isAtEnd, batch.map({ $0.number < number }) ?? true {
                guard let header = batches.next() else {
                    isAtEnd = true
                    break
                }
                guard let fields = header.fields, let found = Int64(fields[0]), let time = Int64(fields[1]) else {
                    continue
                }
                batch = (found, Timestamp(microseconds: time))
            }
            if let batch, batch.number == number, batch.committedAt < period.upperBound {
                body(entry, batch.committedAt < period.lowerBound)
            }
        }
    }
}

extension BundleCheck.Course {
    fileprivate mutating func take(_ entry: BatchBooks.Entry, isEarlier: Bool) {
        guard !isEarlier else {
            earlier.version &+= 1
            earlier.available &+= entry.available
            earlier.frozen &+= entry.frozen
            return
        }
        moved.version &+= 1
        moved.available &+= entry.available
        moved.frozen &+= entry.frozen
        if entry.version > last.version {
            (last.version, last.available, last.frozen) = (entry.version, entry.availableAfter, entry.frozenAfter)
        }
    }

    /// What does not add up.
    fileprivate var fault: String? {
        let (available, frozen) = (opening.available &+ moved.available, opening.frozen &+ moved.frozen)
        if available != closing.available || frozen != closing.frozen {
            return "with its entries comes to \(available) available and \(frozen) frozen, not to \(closing.available) "
                + "and \(closing.frozen)"
        }
        if opening.version &+ moved.version != closing.version {
            return "has \(moved.version) entries in the bundle, not \(closing.version &- opening.version)"
        }
        return last == closing ? nil : "its last entry says another balance after it"
    }
}

extension BundleCheck {
    /// The period and the chain of this bundle go on where those of the one before it end.
    func checkJoin(to previous: String) throws(BundleProblem) {
        let manifest = try Self.manifest(of: previous)
        guard manifest.until == self.manifest.since else {
            note(
                BundleFinding(
                    BundleManifest.fileName, nil,
                    "begins at \(self.manifest.since), and \(previous) ends at \(manifest.until): it is not the one "
                        + "before"))
            return
        }
        guard let end = manifest.after.mark, let start = manifest.before.mark else { return }
        let name = BundleContent.seals.fileName
        guard before.seal <= end.seal else {
            note(
                BundleFinding(
                    name, nil,
                    "begins behind seal \(before.seal), and \(previous) ends with seal \(end.seal): between "
                        + "them something is missing"))
            return
        }
        // One of the two ends lies in the other bundle, or both in the same seal.
        let here = try mark(end.seal, in: folder, before: before)
        let there = try mark(before.seal, in: previous, before: start)
        guard here != nil || there != nil else {
            note(BundleFinding(name, nil, "has no seal in common with \(previous)"))
            return
        }
        if let here, here != end {
            note(BundleFinding(name, nil, "seal \(end.seal) is another one than in \(previous)"))
        }
        if let there, there != before, before.seal != end.seal {
            note(BundleFinding(name, nil, "seal \(before.seal) is another one than in \(previous)"))
        }
    }

    private func mark(
        _ number: Int64, in folder: String, before: SealMark
    ) throws(BundleProblem) -> SealMark? {
        if before.seal == number { return before }
        let file = try BundleFile(BundleContent.seals.fileName, columns: Seal.columns.count, in: folder)
        while let line = file.next() {
            if let seal = Seal(line: line.text), seal.number == number { return SealMark(seal) }
        }
        return nil
    }
}
