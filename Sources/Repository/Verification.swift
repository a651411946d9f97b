import TradeModel

/// What must always be true of the books, asked of the tables alone.
///
/// The queries share no code with the settlement: they follow from the design, and an auditor can run them by hand, as
/// docs/verify.md shows. They read the ledger in ranges of batches, each in one short snapshot, so that no old snapshot
/// stands in the way of the settlement, however large the books are and however fast they grow.
public enum Verification {
    public struct Violation: Hashable, Sendable {
        public let invariant: Int
        public let subject: String
        public let detail: String
    }

    /// What a run looks at.
    public enum Kind: String, Sendable {
        /// Everything.
        case full
        /// What came behind the last clean run, and what can be asked of the tables as they stand.
        case since
        /// The same in steps, by a worker beside its work.
        case worker
    }

    public struct Report: Sendable {
        public let kind: Kind
        public var violations: [Violation] = []
        /// What is known to be missing, behind which nothing was settled yet: no violation.
        public var missing: [String] = []
        public var settledTrades: Int64 = 0
        public var entries: Int64 = 0
        public var accounts: Int64 = 0
        /// The first number that a batch looked at may have, and the newest batch there was.
        public var fromBatch: BatchNumber
        public var toBatch: BatchNumber = 0
        /// Why the result could not be kept for a later run to rest on; nil where it was, or was not to be.
        public var reasonNotKept: String?

        public var isClean: Bool { violations.isEmpty }
    }

    /// So many violations of each kind are named.
    public static let violationsMax = 100
    /// So many entries a range has: what one snapshot and one sort take.
    public static let rangeEntries: Int64 = 500_000
    /// What a batch number is never before, and what none is behind: numbers that no batch can have are looked at, too.
    static let firstNumber = BatchNumber.min
    static let lastNumber = BatchNumber.max

    /// How a run is carried out.
    public struct Options: Sendable {
        public var kind = Kind.full
        public var rangeEntries = Verification.rangeEntries
        /// How long transactions may take to end that hold the number of a batch.
        public var patience = Duration.seconds(30)
        /// Who has the result kept; nil where it is not to be.
        public var actor: String?

        public init(_ kind: Kind = .full, actor: String? = nil) {
            self.kind = kind
            self.actor = actor
        }
    }

    /// Checks everything that is there, or what came since the last clean run, while settlement goes on.
    ///
    /// First it notes how the balances stand. Then it reads every batch that was there, however many come meanwhile,
    /// and holds what their entries come to against what it noted and against the balances of then.
    ///
    /// - Parameter progress: is told again and again how many entries were looked at.
    /// - Returns: nil where there is no clean run to rest on.
    public static func run(
        _ options: Options, on connection: PostgresConnection, progress: (Int64) -> Void = { _ in }
    ) throws -> Report? {
        let startedAt = Timestamp.now
        try connection.liftStatementTimeout()
        let verified = VerifiedBalances.ofThisRun
        try connection.query(VerifiedBalances.creation)
        var next = firstNumber
        if options.kind != .full {
            guard let begun = try VerificationStore.copyKept(on: connection) else { return nil }
            next = begun
        }
        var walk = VerificationWalk(
            options.kind, on: connection, verified: verified, from: next, rangeEntries: options.rangeEntries)
        let horizon = try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in try walk.begin() }
        // What was noted needs nothing that is undecided still; what is kept for later runs may lack no batch.
        let isDecided = try options.actor != nil && horizon.wait(on: connection, patience: options.patience)
        while walk.next <= horizon.newest {
            let last = try walk.rangeEnd(upTo: horizon.newest) ?? horizon.newest
            try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in try walk.check(upTo: last) }
            progress(walk.entries)
        }
        try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in try walk.check(against: .noted) }
        var report = walk.report
        if let actor = options.actor {
            report.reasonNotKept =
                try VerificationStore.keep(
                    report, next: isDecided ? walk.next : nil, startedAt: startedAt, actor: actor, on: connection)
                ?? (isDecided ? nil : "a transaction that has the number of a batch does not end")
        }
        return report
    }

    /// Checks everything, and keeps nothing of it.
    public static func run(on connection: PostgresConnection) throws -> Report {
        guard let report = try run(Options(), on: connection) else {
            preconditionFailure("a full run rests on nothing")
        }
        return report
    }

    /// How many entries a run will look at, as far as batches say.
    public static func entriesToRead(_ kind: Kind, on connection: PostgresConnection) throws(DatabaseError) -> Int64 {
        try connection.query(totalStatement, .bool(kind == .full)).int64(0, 0)
    }

    private static let totalStatement = Statement(
        "verify_total",
        """
        select coalesce(sum(entries), 0)::bigint from batches
         where $1 or batch_no >= (select verified_before from verification_state)
        """)
}
