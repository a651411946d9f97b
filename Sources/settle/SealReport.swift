import AuditTrail
import CommandKit
import Repository
import TradeModel

/// The options of `settle verify --chain`, and the way that it goes.
struct SealReport: ParameterGroup {
    @Flag("--chain", help: "Compare what is there with its seals, instead: see docs/tamper-evidence.md.")
    var isAsked: Bool
    @Option("--from-seal", "N", help: "With --chain: begin with this seal, and take those before it as they are.")
    var first: Int64?
    @Option(
        "--expect", "SEAL:HASH",
        help: "With --chain: a seal and its hash that were noted earlier, and must still be there.")
    var marks: [SealMark]

    func validate() throws {
        if !isAsked, first != nil { throw UsageError("'--from-seal' goes with '--chain'") }
        if !isAsked, !marks.isEmpty { throw UsageError("'--expect' goes with '--chain'") }
        if let first {
            guard first > 0 else { throw UsageError("seals are numbered from 1 on") }
            if let early = marks.first(where: { $0.seal < first }) {
                throw UsageError("seal \(early.seal), which is expected, comes before seal \(first)")
            }
        }
    }

    func run(_ context: Context) throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        var chain = try SealVerification(from: first ?? 1, marks: marks, on: connection)
        let interruption = Interruption()
        defer { interruption.letGo() }
        let progress = ProgressLine(
            context.output, title: "seals", total: context.terminal.errorIsTerminal ? try chain.total() : nil)
        var findings: [SealVerification.Finding] = []
        while let found = try chain.next() {
            if interruption.isAsked { throw CommandFailure("interrupted; not all seals were looked at", exit: .forced) }
            // What is too much to be read is counted, and kept nowhere.
            findings += found.prefix(max(0, Self.findingsMax - findings.count))
            progress.update(Int(chain.sealCount))
            if findings.count >= Self.findingsMax { break }
        }
        let isComplete = findings.count < Self.findingsMax
        if isComplete { findings += try chain.remaining() }
        progress.finish()
        if let first, chain.sealCount == 0, first > 1 {
            throw CommandFailure("there is no seal \(first); the last one is \(chain.head.seal)", exit: .notFound)
        }
        let unsealed = try SealVerification.unsealed(on: connection)
        try context.output.show(json(chain, findings, unsealed, isComplete: isComplete)) {
            for finding in findings { try context.output.line(finding.text.printable) }
            if !isComplete {
                try context.output.line("… and perhaps more: seals after \(chain.head.seal) were not looked at.")
            }
            try context.output.line(summary(chain, findings))
            try context.output.line(unsealed.summary)
            if chain.head.seal > 0 { try context.output.line("Head: \(chain.head)") }
        }
        try context.output.flush()
        if !findings.isEmpty { throw CommandFailure("the books are not as they were sealed", exit: .mismatch) }
    }

    private static let findingsMax = 1_000

    private func summary(_ chain: SealVerification, _ findings: [SealVerification.Finding]) -> String {
        let tables: [SealedTable] = [.batches, .entries, .trades, .operations]
        let covered = tables.map { table in
            let singular: [SealedTable: String] = [
                .batches: "batch", .entries: "ledger entry", .trades: "settled trade", .operations: "operation",
            ]
            return (chain.lines[table] ?? 0).counted(singular[table]!, plural: table.noun)
        }.joined(separator: ", ")
        let seals = chain.sealCount.counted("seal")
        return findings.isEmpty
            ? "All is as it was sealed: \(seals) over \(covered)."
            : "\(findings.count.counted("finding")) in \(seals) over \(covered)."
    }

    private func json(
        _ chain: SealVerification, _ findings: [SealVerification.Finding], _ unsealed: SealVerification.Unsealed,
        isComplete: Bool
    ) -> JSONValue {
        [
            "clean": .bool(findings.isEmpty), "complete": .bool(isComplete), "seals": .count(chain.sealCount),
            "batches": .count(chain.lines[.batches] ?? 0), "entries": .count(chain.lines[.entries] ?? 0),
            "settled_trades": .count(chain.lines[.trades] ?? 0),
            "operations": .count(chain.lines[.operations] ?? 0), "reversals": .count(chain.lines[.reversals] ?? 0),
            "head": chain.head.seal == 0
                ? .null : ["seal": .count(chain.head.seal), "hash": .string("\(chain.head.chain)")],
            "unsealed": [
                "batches": .count(unsealed.batches), "entries": .count(unsealed.entries),
                "oldest": .time(unsealed.oldest),
            ],
            "findings": .array(findings.map(\.json)),
        ]
    }
}

extension SealVerification.Unsealed {
    fileprivate var summary: String {
        guard let oldest else { return "Everything is sealed." }
        return "Not sealed yet: \(batches.counted("batch", plural: "batches")) with "
            + "\(entries.counted("ledger entry", plural: "ledger entries")), the oldest from \(oldest)."
    }
}

extension SealVerification.Finding {
    private var subject: String {
        switch place {
        case .table(let table): table.noun
        case .batch(let number): "batch \(number)"
        case .seal: ""
        }
    }

    /// `seal 3 (batches 12 to 40, committed … to …): ledger entries: 81 sealed, 80 now`.
    fileprivate var text: String {
        var where_ = batches.flatMap { $0.isEmpty ? nil : "batches \($0.lowerBound) to \($0.upperBound - 1)" }
        if let committed {
            where_ = (where_.map { $0 + ", " } ?? "") + "committed \(committed.lowerBound) to \(committed.upperBound)"
        }
        let seal = self.seal == 0 && place != .seal ? "" : "seal \(self.seal)" + (where_.map { " (\($0))" } ?? "")
        return place == .seal ? "\(seal) \(detail)" : (seal.isEmpty ? "" : seal + ": ") + "\(subject): \(detail)"
    }

    fileprivate var json: JSONValue {
        let (kind, batch): (String, JSONValue) =
            switch place {
            case .table(let table): (table.rawValue, .null)
            case .batch(let number): ("batch", .count(number))
            case .seal: ("seal", .null)
            }
        return [
            "seal": .count(seal), "first_batch": .count(batches?.lowerBound),
            "next_batch": .count(batches?.upperBound), "since": .time(committed?.lowerBound),
            "until": .time(committed?.upperBound), "changed": .string(kind), "batch": batch, "detail": .string(detail),
        ]
    }
}

extension SealMark: ArgumentValue {
    public init(argument: String) throws {
        guard let mark = SealMark(argument) else {
            throw InvalidValue("a seal is noted as its number, a colon and 64 hexadecimal digits, as 'Head:' says")
        }
        self = mark
    }

    public var argumentText: String { description }
    public static var valueName: String { "SEAL:HASH" }
}
