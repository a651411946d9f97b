import CommandKit
import Repository
import TradeModel

/// Our own tables: whether they are of this version, looked after, and worked on.
extension Checkup {
    func migrations() throws -> [Finding] {
        let name = "migrations"
        do {
            let migrator = Migrator(connection, try MigrationFiles.find(environment: environment))
            let applied = try migrator.applied()
            let pending = try migrator.pending()
            guard let first = pending.first else {
                return [.ok(name, "all \(applied.count) are applied")]
            }
            return [
                .problem(
                    name,
                    applied.isEmpty
                        ? "the database has no tables of settle yet"
                        : "the database lacks migration \(first.version) (\(first.name))"
                            + (pending.count > 1 ? " and \((pending.count - 1).counted("other"))" : ""),
                    remedy: "settle migrate up")
            ]
        } catch let error as MigrationError {
            return [.problem(name, "\(error)", remedy: "settle migrate status")]
        }
    }

    func autovacuum() throws -> [Finding] {
        let name = "autovacuum"
        var findings: [Finding] = []
        let settings = try ServerHealth.settings(["autovacuum", "track_counts"], connection)
        for setting in ["autovacuum", "track_counts"] where settings[setting]?.value == "off" {
            findings.append(
                .problem(
                    name, "\(setting) is off, so that tables only grow and get slow",
                    remedy: "alter system set \(setting) = on; select pg_reload_conf();"))
        }
        for table in try ServerHealth.neglectedTables(deadRowsMax: thresholds.deadRowsMax, connection) {
            if table.isExcluded {
                findings.append(
                    .problem(
                        name, "table \(table.name) is excluded from autovacuum",
                        remedy: "alter table \(Self.quoted(table.name)) reset (autovacuum_enabled);"))
            }
            if table.deadRows > thresholds.deadRowsMax, table.deadRows > table.liveRows {
                findings.append(
                    .problem(
                        name,
                        "table \(table.name) has \(table.deadRows.counted("dead row")) and "
                            + "\(table.liveRows.counted("live one")); it was last vacuumed "
                            + (table.lastVacuum.map { "at \($0)" } ?? "never"),
                        remedy: "vacuum (analyze) \(Self.quoted(table.name));"))
            }
        }
        return findings.isEmpty ? [.ok(name, "on, and it keeps up")] : findings
    }

    func indexes() throws -> [Finding] {
        let name = "indexes"
        let invalid = try ServerHealth.invalidIndexes(connection)
        if invalid.isEmpty { return [.ok(name, "all are valid")] }
        return invalid.map { index in
            .problem(
                name, "index \(index) is invalid: its building was broken off",
                remedy: index.hasSuffix("_ccnew")
                    ? "drop index concurrently \(index);" : "reindex index concurrently \(index);")
        }
    }

    func ledger() throws -> [Finding] {
        let name = "ledger"
        return try ServerHealth.hasLedgerRanges(connection)
            ? [.ok(name, "the next range of entries is there")]
            : [
                .problem(
                    name, "the ledger lacks a range for the entries to come; a worker makes it, or this command",
                    remedy: "select maintain_ledger_ranges();")
            ]
    }

    func workers() throws -> [Finding] {
        let name = "workers"
        let workers = try registeredWorkers()
        let living = workers.filter { $0.isLiving(limits) }
        var findings: [Finding] = []
        for worker in workers where !worker.isLiving(limits) {
            findings.append(
                .remark(
                    name,
                    "worker \(worker.number) (process \(worker.processID) on \(worker.host)) has been silent for "
                        + "\(Self.duration(worker.silence.components.seconds * 1_000)); it was killed or is cut off",
                    remedy: "settle worker    (there, if nothing has started it again)"))
        }
        let versions = Set(living.map(\.version)).sorted()
        if versions.count > 1 {
            findings.append(
                .remark(
                    name, "workers of several versions run: \(versions.joined(separator: ", "))",
                    remedy: "restart the older ones"))
        }
        for barred in try ServerHealth.barredRoles(connection) {
            findings.append(
                .problem(
                    name, "role \(barred.role), as which a worker is connected, may not read table \(barred.table)",
                    remedy: "settle migrate grants --worker \(barred.role)    (as the owner of the tables)"))
        }
        if living.isEmpty, findings.isEmpty { return [.ok(name, "none is running")] }
        return findings.isEmpty
            ? [.ok(name, "\(living.count.counted("worker")) running, version \(versions[0])")] : findings
    }

    private func registeredWorkers() throws -> [RecordedWorker] {
        WorkerStore.decode(try connection.query(WorkerStore.list))
    }

    /// What operators have stopped is meant to be so, and only worth knowing.
    func queue() throws -> [Finding] {
        let name = "queue"
        let stops = try Standstill.read(connection).stops()
        return stops.isEmpty
            ? [.ok(name, "it runs, and no market is halted")]
            : stops.map { .remark(name, $0.words, remedy: $0.remedy) }
    }

    func waitingTrades() throws -> [Finding] {
        let name = "waiting trades"
        let answers = try connection.pipeline([TradeStore.waiting, TradeStore.waitingWhereOpen])
        let all = TradeStore.decodeWaiting(answers[0])
        guard all.count.value > 0 else { return [.ok(name, "no trade waits")] }
        let standstill = try Standstill.read(connection)
        let trades = all.count.text("trade waits", plural: "trades wait")
        if standstill.pause != nil { return [.ok(name, "\(trades) for the queue to go on")] }
        let open = TradeStore.decodeWaiting(answers[1])
        guard let age = open.age else { return [.ok(name, "\(trades) for a halted market to go on")] }
        let milliseconds = Int64(age / .milliseconds(1))
        let isNobodyThere = try !WorkerStore.isAnyLiving(limits, connection)
        let halted = all.count == open.count ? "" : "; \(trades) with those of halted markets"
        let free = open.count.text("trade waits", plural: "trades wait")
        guard milliseconds > thresholds.waitingMillisecondsMax else {
            return isNobodyThere
                ? [.remark(name, "\(free), and no worker runs\(halted)", remedy: "settle worker")]
                : [.ok(name, free + halted)]
        }
        let since = (open.count.value == 1 ? "for " : "the oldest for ") + Self.duration(milliseconds)
        return [
            isNobodyThere
                ? .problem(name, "\(free), \(since), and no worker runs\(halted)", remedy: "settle worker")
                : .problem(
                    name, "\(free), \(since), though workers run; their log says what holds them up\(halted)",
                    remedy: "settle trade list --status pending")
        ]
    }

    func deadLetters() throws -> [Finding] {
        let name = "dead letters"
        let count = DeadLetterStore.decodeCountOpen(try connection.query(DeadLetterStore.countOpen))
        if count.value == 0 { return [.ok(name, "none is open")] }
        return [
            .remark(
                name,
                count.text("letter is", plural: "letters are") + " open, which somebody should look at",
                remedy: "settle dlq list")
        ]
    }

    /// What the newest verifications have found; nothing is verified here.
    func verification() throws -> [Finding] {
        let name = "verification"
        let state = try VerificationStore.state(connection)
        if let state, state.violations > 0 {
            let finder = state.foundBy == .worker ? " by a worker" : ""
            let time = state.foundAt.map { " at \($0)" } ?? ""
            return [
                .problem(
                    name,
                    "the books do not balance: \(state.violations.counted("violation")) found\(finder)\(time); "
                        + "the first: \(state.finding ?? "")",
                    remedy: "settle verify    (names all; docs/verify.md says what each means)")
            ]
        }
        let next = state?.next ?? 0
        let sealed = try SealStore.last(on: connection)?.batches.upperBound ?? 0
        let late = try [
            lag("verified", from: next, remedy: "settle verify"),
            lag("sealed", from: sealed, remedy: "settle audit seal"),
        ].compactMap(\.self)
        guard late.isEmpty else { return late }
        guard let time = state?.verifiedAt else { return [.ok(name, "not verified yet")] }
        return [.ok(name, "the books balance up to batch \(max(0, next - 1)), verified at \(time)")]
    }

    /// Workers verify and seal what was committed; something has kept them from it.
    private func lag(_ what: String, from batch: BatchNumber, remedy: String) throws -> Finding? {
        guard let age = try VerificationStore.age(from: batch, on: connection),
            age > thresholds.proofLagMillisecondsMax
        else { return nil }
        return .remark(
            "verification",
            "what was committed from batch \(max(0, batch)) on is not \(what), the first of it for "
                + Self.duration(age),
            remedy: remedy)
    }
}
