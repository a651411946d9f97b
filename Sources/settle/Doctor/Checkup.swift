import CommandKit
import Repository
import ServiceKit
import SettlementWorkers

/// Looks at a database from all sides, reading only, and says what is wrong and what mends it.
struct Checkup {
    /// From where on something counts as wrong.
    struct Thresholds {
        var clockSkewMillisecondsMax: Int64 = 5_000
        var waitingMillisecondsMax: Int64 = 60_000
        var lockWaitMillisecondsMax: Int64 = 10_000
        var idleTransactionMillisecondsMax: Int64 = 60_000
        var transactionMillisecondsMax: Int64 = 3_600_000
        var preparedMillisecondsMax: Int64 = 300_000
        var deadRowsMax: Int64 = 10_000
        var slotLogBytesMax: Int64 = 1 << 30
        var notificationMillisecondsMax = 500
        var standstillMillisecondsMax: Int64 = 60_000
        /// A numbered trade may come so much later than its successors.
        var missingSecondsMax: Int64 = 10
        var lagRecordsMax: Int64 = 100_000
        /// What was committed may be so old before it is verified and sealed.
        var proofLagMillisecondsMax: Int64 = 600_000
    }

    let connection: PostgresConnection
    /// Another connection to the same database, for what takes two.
    let second: PostgresConnection
    let limits: Limits
    let environment: [String: String]
    var thresholds = Thresholds()

    /// All checks that look at the server, each by itself: what one may not see does not keep the others from looking.
    func findings() throws -> [Finding] {
        var findings = try pooler()
        // What sessions say that are shared out is not to be relied on.
        guard findings.allSatisfy({ $0.status == .ok }) else { return findings }
        let session = try ServerHealth.session(connection)
        findings += try carryOut([("room", room)], session)
        // What says that it lives cannot write it down: nothing that is judged by that is worth asking.
        guard findings.allSatisfy({ $0.status != .problem }) else { return findings }
        findings += try carryOut(checks(session), session)
        guard let migrations = findings.last, migrations.name == "migrations", migrations.status == .ok else {
            return findings
        }
        return try findings + carryOut(tableChecks, session)
    }

    private func carryOut(_ checks: [Check], _ session: ServerHealth.Session) throws -> [Finding] {
        try checks.flatMap { name, check in
            do {
                return try check()
            } catch let error as DatabaseError where !error.isConnectionLoss {
                return [notSeen(name, error, session)]
            }
        }
    }

    private typealias Check = (name: String, run: () throws -> [Finding])

    private func checks(_ session: ServerHealth.Session) -> [Check] {
        [
            ("server", { try server(session) }), ("durability", { try durability(session) }),
            ("checksums", checksums), ("clock", clock), ("notifications", { try notifications(session) }),
            ("connections", { try connections(session) }), ("transactions", { try transactions(session) }),
            ("locks", locks),
            ("prepared transactions", preparedTransactions), ("replication slots", replicationSlots),
            ("migrations", migrations),
        ]
    }

    /// What looks at our own tables, and needs them to be there.
    private var tableChecks: [Check] {
        [
            ("autovacuum", autovacuum), ("indexes", indexes), ("ledger", ledger), ("workers", workers),
            ("queue", queue), ("waiting trades", waitingTrades), ("dead letters", deadLetters),
            ("feed", feed), ("verification", verification),
        ]
    }

    private func notSeen(_ name: String, _ error: DatabaseError, _ session: ServerHealth.Session) -> Finding {
        .remark(
            name, "cannot be looked at: \(error.message)",
            remedy: error.sqlState == DatabaseError.insufficientPrivilege
                ? "ask the owner of the tables to grant \(session.role) what it needs" : nil)
    }

    /// A name as SQL takes it, whatever it holds.
    static func quoted(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    static func duration(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1_000
        return switch seconds {
        case ..<120: seconds.counted("second")
        case ..<7_200: (seconds / 60).counted("minute")
        case ..<172_800: (seconds / 3_600).counted("hour")
        default: (seconds / 86_400).counted("day")
        }
    }
}
