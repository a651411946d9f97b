import CommandKit
import Repository
import TradeModel

/// A comparison of the books with a file of trades from elsewhere.
struct FileReconciliation {
    let path: String
    let format: TradeFileFormat?
    let market: MarketSymbol?
    let since: Timestamp?
    let until: Timestamp?
    let fix: FixOptions

    /// So many lines that cannot be read are named.
    private static let malformedMax = 1_000

    func run(_ context: Context) throws {
        var file = try TradeFile(path, format: format, market: market)
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        if let market { _ = try CatalogStore.read(connection).known(market) }
        var check = try TradeCheck(.file(file.name), on: connection, context.output)
        var malformed: [(line: Int, words: String)] = []
        if !file.unknownColumns.isEmpty {
            context.output.note("not compared: \(file.unknownColumns.joined(separator: ", "))")
        }
        let progress = ProgressLine(context.output, title: "reading")
        while let record = try file.next() {
            switch record {
            case .trade(let trade): try check.add(CollectionOfOne(trade))
            case .malformed(let words, let line):
                check.refuse()
                guard malformed.count < Self.malformedMax else { continue }
                malformed.append((line, words))
                context.output.note("line \(line): \(words)")
            }
            progress.update(Int(check.found.tradeCount))
        }
        progress.finish()
        let extent = try check.finish()
        try check.compare(expecting: expectation(extent), keeps: !fix.dryRun)
        try fix.apply(to: &check, context)
        let report = TradeReconciliationReport(check: check, dryRun: fix.dryRun, malformed: malformed)
        if context.output.format == .jsonl {
            try context.output.record(report.summaryJSON)
        } else {
            try context.output.show(report.json) { try report.printText(to: context.output) }
        }
        report.advise(context.output)
        try context.output.flush()
        if check.openCount > 0 { throw CommandFailure("the file and the books differ", exit: .mismatch) }
        if check.found.refusedCount > 0 {
            throw CommandFailure(
                check.found.refusedCount.counted("line") + " of \(file.name.printable) cannot be read")
        }
    }

    /// What the file should have of the books: what the flags say; without a time, the time of the file itself, where
    /// all of its lines say one.
    private func expectation(_ extent: TradeComparison.Extent) -> TradeComparison.Expectation {
        let markets = market.map { [$0] } ?? extent.markets
        guard !markets.isEmpty else { return .nothing }
        let basis: TradeComparison.TimeBasis =
            extent.committed != nil || extent.tradeCount == 0 ? .committed : .executed
        if since != nil || until != nil { return .markets(markets, basis, since: since, until: until) }
        let span = basis == .committed ? extent.committed : extent.executed
        // The end is left out, and its trades are not.
        return .markets(
            markets, basis, since: span?.lowerBound,
            until: span.map { Timestamp(microseconds: $0.upperBound.microseconds + 1) })
    }
}
