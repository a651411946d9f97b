import CommandKit
import Repository

/// What other sessions hold, and what stands between the server and us.
extension Checkup {
    func pooler() throws -> [Finding] {
        let name = "pooler"
        guard try ServerHealth.isSharingSessions(connection, second) else {
            return [.ok(name, "each connection has a session of its own")]
        }
        return [
            .problem(
                name,
                "a connection pooler in transaction mode stands before the server; locks, settings and notifications "
                    + "of a session get lost in it, and nothing more can be looked at through it",
                remedy:
                    "set pool_mode = session in pgbouncer.ini for settle, or name the server itself in the database URL"
            )
        ]
    }

    func notifications(_ session: ServerHealth.Session) throws -> [Finding] {
        let name = "notifications"
        if session.isStandby { return [] }
        let isDelivered = try ServerHealth.isNotificationDelivered(
            from: second, to: connection, milliseconds: thresholds.notificationMillisecondsMax)
        guard !isDelivered else { return [.ok(name, "LISTEN and NOTIFY work")] }
        return [
            .problem(
                name,
                "NOTIFY does not reach us, so that workers find new trades late, by their sweep",
                remedy: "let workers connect to the server itself, or by a pooler in session mode")
        ]
    }

    func transactions(_ session: ServerHealth.Session) throws -> [Finding] {
        let name = "transactions"
        let limit = min(thresholds.idleTransactionMillisecondsMax, thresholds.transactionMillisecondsMax)
        let findings = try ServerHealth.transactions(openFor: limit, connection).compactMap { other -> Finding? in
            let age = Self.duration(other.milliseconds)
            guard other.isIdle || other.milliseconds > thresholds.transactionMillisecondsMax else { return nil }
            return .problem(
                name,
                "\(described(other)) has had a transaction open for \(age)"
                    + "\(other.isIdle ? " and does nothing in it" : ""); nothing that changed since can be vacuumed",
                remedy: terminate(other))
        }
        if !findings.isEmpty { return findings }
        return [
            session.seesAllSessions
                ? .ok(name, "none is open for long")
                : .remark(
                    name, "the sessions of other roles cannot be seen",
                    remedy: "grant pg_read_all_stats to \(Self.quoted(session.role));    (as a superuser)")
        ]
    }

    func locks() throws -> [Finding] {
        let name = "locks"
        let waits = try ServerHealth.lockWaits(longerThan: thresholds.lockWaitMillisecondsMax, connection)
        if waits.isEmpty { return [.ok(name, "nobody waits for long")] }
        return waits.map { wait in
            .problem(
                name,
                "process \(wait.processID) has waited \(Self.duration(wait.milliseconds)) for a lock that "
                    + "\(described(wait.holder)) holds",
                remedy: terminate(wait.holder))
        }
    }

    func preparedTransactions() throws -> [Finding] {
        let name = "prepared transactions"
        let found = try ServerHealth.preparedTransactions(
            olderThan: thresholds.preparedMillisecondsMax, connection)
        if found.isEmpty { return [.ok(name, "none is left over")] }
        return found.map { transaction in
            .problem(
                name,
                "'\(transaction.name)' was prepared \(Self.duration(transaction.milliseconds)) ago and never ended; it "
                    + "keeps its locks",
                remedy: "rollback prepared '\(transaction.name.replacing("'", with: "''"))';    (or commit prepared)")
        }
    }

    func replicationSlots() throws -> [Finding] {
        let name = "replication slots"
        let slots = try ServerHealth.idleSlots(connection)
        if slots.isEmpty { return [.ok(name, "none is without a reader")] }
        return slots.map { slot in
            let remedy = "select pg_drop_replication_slot('\(slot.name)');    (if its reader will not come back)"
            let mebibytes = (slot.logBytes >> 20).grouped
            guard slot.holdsRows || slot.logBytes > thresholds.slotLogBytesMax else {
                return .remark(
                    name, "nobody reads slot \(slot.name), which keeps \(mebibytes) MB of log", remedy: remedy)
            }
            return .problem(
                name,
                "nobody reads slot \(slot.name), which keeps \(mebibytes) MB of log"
                    + (slot.holdsRows ? " and every dead row" : "") + ", and more by the hour",
                remedy: remedy)
        }
    }

    private func described(_ other: ServerHealth.OtherSession) -> String {
        let names = [other.application, other.role].filter { !$0.isEmpty }.joined(separator: ", ")
        return "process \(other.processID)" + (names.isEmpty ? "" : " (\(names))")
    }

    private func terminate(_ other: ServerHealth.OtherSession) -> String {
        "select pg_terminate_backend(\(other.processID));"
    }
}
