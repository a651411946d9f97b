import Benchmark
import CommandKit
import ServiceKit

extension BenchmarkReport {
    /// The same figures for a person.
    func write(to output: Output, _ bounds: [BenchBound]) throws {
        var table = Table(
            "LOAD", .init("TRADES/S", .right), .init("RANGE", .right), .init("P50 MS", .right), .init("P95", .right),
            .init("P99", .right), .init("MAX", .right), .init("A COMMIT", .right), .init("CLIENT US", .right),
            .init("SERVER US", .right), .init("WAL B", .right))
        for result in cases {
            let latencies = result.latencies
            table.add(
                .init(name(result)), .init(result.perSecond.whole { $0.median }),
                .init("\(result.perSecond.whole { $0.minimum })–\(result.perSecond.whole { $0.maximum })"),
                .init(latencies.milliseconds(perMille: 500).text(2)),
                .init(latencies.milliseconds(perMille: 950).text(2)),
                .init(latencies.milliseconds(perMille: 990).text(2)), .init(latencies.maximumMilliseconds.text(2)),
                .init(result.tradesPerCommit.rounded(decimals: 1)),
                .init(result.clientMicrosecondsPerTrade.rounded(decimals: 1)),
                .init(result.serverMicrosecondsPerTrade.text(1)), .init(result.walBytesPerTrade.rounded(decimals: 0)))
        }
        try output.print(table)
        try output.line()
        for result in cases { try writeRatios(result, to: output) }
        for opponent in opponents {
            let spread = Spread(opponent.perSecond)
            try output.line(
                "\(opponent.kind.rawValue)\(opponent.skew.map { ", \($0.label)" } ?? ""): "
                    + "\(spread.whole { $0.median })/s (\(spread.whole { $0.minimum })–\(spread.whole { $0.maximum }))")
        }
        for (kind, reason) in missing { try output.line("\(kind.rawValue): not measured, \(reason)") }
        try output.line(
            "one-row commit: \(oneRowCommit.milliseconds(perMille: 500).text(3)) ms; a trade alone: "
                + "\(alone.milliseconds(perMille: 500).text(3)) ms, \(aloneToCommit.text(1)) times that")
        try output.line(
            "a trade: \(rowsPerTrade.rounded(decimals: 1)) rows, \(bytesPerTrade.rounded(decimals: 0)) bytes of "
                + "tables; peak memory \((peakBytes / 1_048_576).grouped) MB")
        try writeStages(to: output)
        try writeConditions(to: output)
        for bound in bounds { try output.line(bound.text) }
        if let verification {
            for violation in verification.violations {
                try output.line(
                    "invariant \(violation.invariant): \(violation.subject.printable): \(violation.detail.printable)")
            }
            try output.line(verification.summary)
        }
    }

    func name(_ result: CaseResult) -> String {
        let shape = result.kind.shape
        var words = [shape.skew.label]
        if shape.unfundableBasisPoints > 0 { words.append("\(percent(shape.unfundableBasisPoints)) unfundable") }
        if shape.duplicateBasisPoints > 0 { words.append("\(percent(shape.duplicateBasisPoints)) duplicates") }
        if plan.prefillCounts.count > 1 { words.append("\(result.kind.prefillCount.grouped) before") }
        if plan.processCount > 1 {
            words.append("\(result.kind.processCount) process\(result.kind.processCount == 1 ? "" : "es")")
        }
        if let offered = result.offeredPerSecond { words.append("\(offered.grouped)/s due") }
        return words.joined(separator: ", ")
    }

    private func percent(_ basisPoints: Int) -> String { Percent(basisPoints: basisPoints).argumentText + "%" }

    private func writeRatios(_ result: CaseResult, to output: Output) throws {
        var ratios: [(String, Spread?)] = result.ratios.keys.sorted { $0.rawValue < $1.rawValue }
            .map { ($0.rawValue, Spread(result.ratios[$0] ?? [])) }
        ratios += [
            ("uniform", ratioToUniform(result)), ("the clean load", ratioToClean(result)),
            ("one process", ratioToOneProcess(result)),
            ("\(plan.prefillCounts[0].grouped) before", ratioToFirstStage(result)),
        ]
        let texts = ratios.compactMap { name, spread in
            spread.map {
                "\($0.median.rounded(decimals: 2)) x \(name) (\($0.minimum.rounded(decimals: 2))–"
                    + "\($0.maximum.rounded(decimals: 2)))"
            }
        }
        var line = texts.joined(separator: ", ")
        if result.kind.pace != nil {
            line += "\(line.isEmpty ? "" : ", ")p99 is \(p99ToCommit(result).text(1)) one-row commits"
        }
        if result.rejected + result.duplicates + result.retries > 0 {
            line +=
                "\(line.isEmpty ? "" : "; ")rejected \(result.rejected.grouped), duplicates "
                + "\(result.duplicates.grouped), retries \(result.retries.grouped)"
        }
        if !line.isEmpty { try output.line("\(name(result)): \(line)") }
    }

    /// How the tables were before and after the rounds of each stage.
    private func writeStages(to output: Output) throws {
        var table = Table(
            .init("TRADES IN THE TABLES", .right), .init("BALANCE MS", .right), .init("STATEMENT MS", .right),
            .init("NEWEST ENTRIES MS", .right), .init("BALANCES MB", .right), .init("DEAD ROWS", .right),
            .init("TRADES MB", .right), .init("LEDGER MB", .right))
        for condition in stages.flatMap({ [$0.before, $0.after] }) {
            func megabytes(_ name: String) -> Table.Cell {
                let bytes = condition.tables.filter { $0.name == name }.map { $0.tableBytes + $0.indexBytes }
                return .init((Int(bytes.reduce(0, +)) / 1_048_576).grouped)
            }
            let balances = condition.tables.first { $0.name == TableHealth.balances }
            table.add(
                .init(condition.trades.grouped), .init(condition.balance.milliseconds(perMille: 500).text(2)),
                .init(condition.statement.milliseconds(perMille: 500).text(2)),
                .init(condition.newestEntries.milliseconds(perMille: 500).text(2)), megabytes(TableHealth.balances),
                .init(Int(balances?.deadRows ?? 0).grouped), megabytes("trades"), megabytes("ledger_entries"))
        }
        try output.line()
        try output.print(table)
        try output.line()
        for stage in stages {
            guard let balances = stage.after.tables.first(where: { $0.name == TableHealth.balances }),
                let growth = stage.growth(of: balances)
            else { continue }
            let place = stages.count > 1 ? "\(stage.prefillCount.grouped) before: " : ""
            let vacuums = Int(growth.autovacuums)
            try output.line(
                "\(place)of the updates of balances \(growth.hotPercent.text(1))% touched no index; "
                    + "\(vacuums.grouped) autovacuum\(vacuums == 1 ? "" : "s") of balances")
        }
    }

    private func writeConditions(to output: Output) throws {
        let wanted = ["synchronous_commit", "fsync", "full_page_writes", "wal_level", "shared_buffers"]
        let shown = settings.filter { wanted.contains($0.name) }.map { "\($0.name) \($0.value)" }
        let cores = "\(processorCount) core\(processorCount == 1 ? "" : "s")"
        try output.line(
            "PostgreSQL \(serverVersion.printable), \(shown.joined(separator: ", ").printable), \(cores); "
                + "\(plan.accountCount.grouped) accounts, \(plan.limits.connections) connections, queue "
                + "\(plan.limits.queueCapacity.grouped), batch \(plan.limits.batchSizeMax.grouped), seed \(plan.seed)")
    }
}

extension Skew {
    fileprivate var label: String {
        if case .zipf(let exponent) = self { "zipf \(exponent.rounded(decimals: 2))" } else { name }
    }
}

extension Optional<Spread> {
    func whole(_ value: (Spread) -> Double) -> String { map { Int(value($0).rounded()).grouped } ?? "-" }
}

extension Optional<Double> {
    fileprivate func text(_ decimals: Int) -> String { map { $0.rounded(decimals: decimals) } ?? "-" }
}
