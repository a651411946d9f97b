import CommandKit
import Repository
import TradeModel

/// What a comparison of trades came to, for people and for programs.
struct TradeReconciliationReport {
    let check: TradeCheck
    let dryRun: Bool
    /// The first of the lines that could not be read.
    var malformed: [(line: Int, words: String)] = []

    private var found: TradeReconciliation { check.found }

    var isClean: Bool { found.findingCount == 0 && found.refusedCount == 0 }

    // MARK: For programs

    var json: JSONValue { .object(summaryPairs + [("findings", .array(found.findings.map(\.json)))]) }

    /// Without the findings, which were written as they were found.
    var summaryJSON: JSONValue { .object(summaryPairs) }

    private var summaryPairs: [(key: String, value: JSONValue)] {
        var pairs: [(key: String, value: JSONValue)] = [("clean", .bool(isClean))]
        switch found.side {
        case .file(let name): pairs += [("file", .string(name))]
        case .engine(let stream, let sequence, _): pairs += [("stream", .id(stream)), ("sequence", .count(sequence))]
        }
        pairs += [
            ("job", .count(check.job)), ("trades", .count(found.tradeCount)),
            ("expected", check.expectation.json), ("malformed", .count(found.refusedCount)),
            (
                "malformed_lines",
                .array(malformed.map { ["line": .integer($0.line), "message": .string($0.words)] })
            ),
            ("finding_count", .count(found.findingCount)),
        ]
        pairs += TradeFinding.Kind.allCases.map { ($0.rawValue, .count(found.counts[$0] ?? 0)) }
        if let restored = check.restoredCount {
            pairs.append((dryRun ? "would_restore" : "restored", .count(restored)))
        }
        return pairs
    }

    // MARK: For people

    func printText(to output: Output) throws {
        if !found.findings.isEmpty { try output.print(table) }
        try output.line(summary)
        guard let restored = check.restoredCount else { return }
        let trades = restored.counted("trade")
        try output.line(
            dryRun
                ? "\(trades) would be stored as PENDING."
                : "\(trades) stored as PENDING; workers settle what waits, and 'settle trade list' shows it.")
    }

    private var table: Table {
        var table = Table(
            Table.Column(found.isOfFile ? "LINE" : "RECORD", .right), "TRADE", "FINDING", "FIELD",
            Table.Column("THEIRS", isCut: false), Table.Column("HERE", isCut: false), Table.Column("SEE", wraps: true))
        for finding in found.findings {
            table.add(
                .init(finding.place.map { "\($0)" } ?? "-"), .init(finding.name), .init(finding.kind.words),
                .init(finding.field ?? "-"), .init(finding.theirs ?? "-"), .init(finding.ours ?? "-"),
                .init(finding.reference ?? "-"))
        }
        return table
    }

    private var summary: String {
        let all = "\(found.tradeCount.counted("trade")) of \(found.side.name.printable)"
        var parts = TradeFinding.Kind.allCases.compactMap { kind in
            found.counts[kind].map { "\($0.grouped) \(kind.words)" }
        }
        guard !isClean else { return "The books agree: \(all)." }
        if parts.isEmpty { parts = ["the books agree"] }
        let unread = found.refusedCount.counted("line") + " cannot be read"
        return "\(all): \(parts.joined(separator: ", "))" + (found.refusedCount > 0 ? "; \(unread)." : ".")
    }

    /// What an operator may do about each kind, on stderr.
    func advise(_ output: Output) {
        if found.findingCount > Int64(found.findings.count), output.format != .jsonl {
            output.note("only the first \(found.findings.count.grouped) are listed")
        }
        for kind in TradeFinding.Kind.allCases where found.counts[kind] != nil {
            guard kind != .missingHere || check.restoredCount == nil else { continue }
            output.note("\(kind.words): \(kind.advice)")
        }
        guard found.counts[.missingThere] != nil, let expected = check.expectation.words else { return }
        output.note(
            "the file was to have \(expected)"
                + (found.refusedCount > 0 ? "; lines that cannot be read may be some of these" : ""))
    }
}

extension TradeFinding {
    var json: JSONValue {
        [
            "finding": .string(kind.rawValue), "place": .count(place),
            "market": .string(market), "trade_id": .string(id), "field": .string(field), "theirs": .string(theirs),
            "ours": .string(ours), "letter": .count(letter),
            "letter_status": .string(letterStatus?.rawValue), "letter_class": .string(letterClass),
        ]
    }

    /// What a person types to see more of it.
    fileprivate var reference: String? {
        switch kind {
        case .missingHere, .repeated: return nil
        case .missingThere, .different: return "settle explain \(name.shellQuoted)"
        case .pending: return "settle explain \(name.shellQuoted)"
        case .damaged: return "settle verify"
        case .parked:
            guard let letter else { return "settle explain \(name.shellQuoted)" }
            let state =
                switch letterStatus {
                case .discarded: ", which was given up"
                case .retried: ", which was retried or edited"
                case .open, nil: ""
                }
            return "settle dlq show \(letter)\(state)"
        }
    }
}

extension TradeFinding.Kind {
    fileprivate var words: String { rawValue.replacing("_", with: " ") }

    fileprivate var advice: String {
        switch self {
        case .missingHere: "'--fix --reason R' stores what can be had from there as PENDING, to be settled"
        case .missingThere:
            "nothing settled is ever removed here; 'settle explain' says how it came, for whoever keeps the other list"
        case .different:
            "what is settled never changes here; 'settle explain' shows what moved, and both sides must agree"
        case .pending: "'settle queue status' says whether anything holds up what waits"
        case .parked: "'settle dlq show' says why, and what may be done"
        case .damaged:
            "somebody has gone round the rules of the tables; 'settle verify' names the rest, and none of it is stored"
        case .repeated: "its sender says which is right; the first was compared"
        }
    }
}

extension TradeComparison.Expectation {
    /// What a file was to have, for people.
    fileprivate var words: String? {
        guard case .markets(let markets, let basis, let since, let until) = self else { return nil }
        let period = [since.map { "from \($0) on" }, until.map { "before \($0)" }].compactMap(\.self)
        return "what was settled in " + markets.map(\.text).joined(separator: ", ")
            + (period.isEmpty
                ? "; '--since' and '--until' bound it" : ", \(basis.rawValue) " + period.joined(separator: " and "))
    }

    fileprivate var json: JSONValue {
        switch self {
        case .nothing: .null
        case .records(let records, let stream):
            [
                "stream": .id(stream), "first_seq": .count(records.lowerBound), "last_seq": .count(records.upperBound),
            ]
        case .markets(let markets, let basis, let since, let until):
            [
                "markets": .array(markets.map { .string($0.text) }), "time": .string(basis.rawValue),
                "since": .time(since), "until": .time(until),
            ]
        }
    }
}
