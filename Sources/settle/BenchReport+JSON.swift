import Benchmark
import CommandKit
import Foundation
import ServiceKit

extension BenchmarkReport {
    /// The figures of the load that was asked for first stand at the top; those of each stand in `runs`.
    func json(_ bounds: [BenchBound]) -> JSONValue {
        [
            "trades_per_second": .measure(main.perSecond?.median, decimals: 1),
            "latency_ms": main.latencies.json,
            "ratio": .named(
                main.ratios.keys.sorted { $0.rawValue < $1.rawValue }
                    .map { ($0.rawValue, .measure(Spread(main.ratios[$0] ?? [])?.median, decimals: 3)) }),
            "verified": .bool(verification?.isClean == true),
            "runs": .array(cases.map(json)),
            "stages": .array(stages.map(json)),
            "balance_ms": stages.last?.after.balance.json ?? .null,
            "statement_ms": stages.last?.after.statement.json ?? .null,
            "newest_entries_ms": stages.last?.after.newestEntries.json ?? .null,
            "opponents": .array(
                opponents.map {
                    [
                        "name": .string($0.kind.rawValue), "skew": .string($0.skew?.name), "zipf": $0.skew.json,
                        "per_second": Spread($0.perSecond).json(decimals: 1),
                    ]
                }),
            "bounds": .array(bounds.map(\.json)),
            "missing": .array(missing.map { ["name": .string($0.kind.rawValue), "reason": .string($0.reason)] }),
            "one_row_commit_ms": oneRowCommit.json,
            "alone_ms": alone.json,
            "alone_to_one_row_commit": .measure(aloneToCommit, decimals: 2),
            "rows_per_trade": .measure(rowsPerTrade, decimals: 2),
            "bytes_per_trade": .measure(bytesPerTrade, decimals: 1),
            "peak_memory_bytes": .integer(peakBytes),
            "peak_memory_bytes_first_round": .integer(peakBytesFirstRound),
            "settings": .named(
                settings.map { ($0.name, .string($0.value)) }),
            "conditions": conditions,
            "verify": verification?.json ?? .null,
        ]
    }

    /// How many one-row commits a trade takes that is alone.
    var aloneToCommit: Double? {
        guard let trade = alone.milliseconds(perMille: 500), let commit = oneRowCommit.milliseconds(perMille: 500)
        else { return nil }
        return trade / commit
    }

    private func json(_ result: CaseResult) -> JSONValue {
        [
            "skew": .string(result.kind.shape.skew.name), "zipf": Optional(result.kind.shape.skew).json,
            "loop": .string(result.kind.pace == nil ? "closed" : "open"),
            "offered_per_second": .count(result.offeredPerSecond),
            "processes": .integer(result.kind.processCount), "prefill": .integer(result.kind.prefillCount),
            "unfundable_percent": .measure(Double(result.kind.shape.unfundableBasisPoints) / 100, decimals: 2),
            "duplicates_percent": .measure(Double(result.kind.shape.duplicateBasisPoints) / 100, decimals: 2),
            "settled": .integer(result.settled), "rejected": .integer(result.rejected),
            "duplicates": .integer(result.duplicates), "retries": .integer(result.retries),
            "trades_per_second": result.perSecond.json(decimals: 1),
            "processed_per_second": result.processedPerSecond.json(decimals: 1),
            "latency_ms": result.latencies.json,
            "p99_to_one_row_commit": .measure(p99ToCommit(result), decimals: 2),
            "ratio": .named(
                result.ratios.keys.sorted { $0.rawValue < $1.rawValue }
                    .map { ($0.rawValue, Spread(result.ratios[$0] ?? []).json(decimals: 3)) }),
            "ratio_to_uniform": ratioToUniform(result).json(decimals: 3),
            "ratio_to_clean": ratioToClean(result).json(decimals: 3),
            "ratio_to_one_process": ratioToOneProcess(result).json(decimals: 3),
            "ratio_to_first_stage": ratioToFirstStage(result).json(decimals: 3),
            "trades_per_commit": .measure(result.tradesPerCommit, decimals: 1),
            "wal_bytes_per_commit": .measure(result.walBytesPerCommit, decimals: 0),
            "wal_bytes_per_trade": .measure(result.walBytesPerTrade, decimals: 1),
            "client_us_per_trade": .measure(result.clientMicrosecondsPerTrade, decimals: 2),
            "server_us_per_trade": .measure(result.serverMicrosecondsPerTrade, decimals: 2),
        ]
    }

    private func json(_ stage: Stage) -> JSONValue {
        [
            "prefill": .integer(stage.prefillCount), "before": json(stage.before), "after": json(stage.after),
            "growth": .named(
                stage.after.tables.compactMap { table in
                    stage.growth(of: table).map { growth in
                        (
                            table.name,
                            [
                                "updates": .count(growth.updates), "hot_updates": .count(growth.hotUpdates),
                                "hot_percent": .measure(growth.hotPercent, decimals: 2),
                                "autovacuums": .count(growth.autovacuums), "bytes": .count(growth.bytes),
                            ]
                        )
                    }
                }),
        ]
    }

    private func json(_ condition: Condition) -> JSONValue {
        [
            "trades": .integer(condition.trades), "balance_ms": condition.balance.json,
            "statement_ms": condition.statement.json, "newest_entries_ms": condition.newestEntries.json,
            "tables": .named(
                condition.tables.map {
                    (
                        $0.name,
                        [
                            "live_rows": .count($0.liveRows), "dead_rows": .count($0.deadRows),
                            "table_bytes": .count($0.tableBytes), "index_bytes": .count($0.indexBytes),
                        ]
                    )
                }),
        ]
    }

    func p99ToCommit(_ result: CaseResult) -> Double? {
        guard let latency = result.latencies.milliseconds(perMille: 990),
            let commit = oneRowCommit.milliseconds(perMille: 500)
        else { return nil }
        return latency / commit
    }

    private var conditions: JSONValue {
        var amount = "trades"
        var count = 0
        switch plan.amount {
        case .trades(let trades): count = trades
        case .milliseconds(let milliseconds):
            amount = "milliseconds"
            count = milliseconds
        }
        return [
            "settle": .string(plan.version), "source_commit": .string(SourceCommit.find()),
            "postgresql": .string(serverVersion), "cores": .integer(processorCount),
            "scratch": .string(scratch.rawValue), "seed": .string("\(plan.seed)"),
            "accounts": .integer(plan.accountCount),
            "rounds": .integer(plan.roundCount), amount: .integer(count),
            "warm_up_milliseconds": .integer(plan.warmUpMilliseconds),
            "warming_trades": .integer(plan.warmingCount * plan.processCount),
            "prefill": .array(plan.prefillCounts.map { .integer($0) }),
            "pgbench_scale": .integer(plan.pgbenchScale), "connections": .integer(plan.limits.connections),
            "workers": .integer(plan.limits.workerCount), "queue": .integer(plan.limits.queueCapacity),
            "batch": .integer(plan.limits.batchSizeMax),
        ]
    }
}

extension JSONValue {
    static func named(_ values: [(String, JSONValue)]) -> JSONValue {
        .object(values.map { (key: $0.0, value: $0.1) })
    }
}

extension LatencyCounts {
    fileprivate var json: JSONValue {
        [
            "p50": .measure(milliseconds(perMille: 500), decimals: 3),
            "p95": .measure(milliseconds(perMille: 950), decimals: 3),
            "p99": .measure(milliseconds(perMille: 990), decimals: 3),
            "max": .measure(maximumMilliseconds, decimals: 3),
        ]
    }
}

extension Optional<Spread> {
    fileprivate func json(decimals: Int) -> JSONValue {
        guard let self else { return .null }
        return [
            "median": .measure(self.median, decimals: decimals), "min": .measure(self.minimum, decimals: decimals),
            "max": .measure(self.maximum, decimals: decimals),
        ]
    }
}

extension Optional<Skew> {
    fileprivate var json: JSONValue {
        if case .zipf(let exponent) = self { .measure(exponent, decimals: 2) } else { .null }
    }
}

/// The commit of the sources that this program was built from, where they are.
enum SourceCommit {
    static func find() -> String? {
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path != "/" {
            if let commit = head(ofRepositoryAt: folder) { return commit }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }

    private static func head(ofRepositoryAt folder: URL) -> String? {
        func text(_ url: URL) -> String? {
            (try? String(contentsOf: url, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        var git = folder.appendingPathComponent(".git")
        // In a linked work tree it is a file that says where the rest is.
        if let link = text(git), link.hasPrefix("gitdir: ") {
            git = URL(fileURLWithPath: String(link.dropFirst("gitdir: ".count)), relativeTo: folder)
        }
        guard let head = text(git.appendingPathComponent("HEAD")) else { return nil }
        guard head.hasPrefix("ref: ") else { return head }
        let reference = String(head.dropFirst("ref: ".count))
        let common = text(git.appendingPathComponent("commondir")).map { git.appendingPathComponent($0) } ?? git
        if let commit = text(common.appendingPathComponent(reference)) { return commit }
        let packed = text(common.appendingPathComponent("packed-refs")) ?? ""
        return packed.split(separator: "\n").first { $0.hasSuffix(" \(reference)") }
            .map { String($0.prefix { $0 != " " }) }
    }
}
