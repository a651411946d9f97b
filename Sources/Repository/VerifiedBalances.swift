/// A table of what was verified of the balances: each row says that some of a balance's entries, from one version to
/// another without a gap, follow from each other, and what the balance was before and after them.
struct VerifiedBalances: Sendable {
    let table: String

    /// What every run begins with; gone with its session.
    static let ofThisRun = VerifiedBalances(table: "checked_balances")
    /// What later runs rest on.
    static let kept = VerifiedBalances(table: "verified_balances")

    /// What goes with it of streams.
    var streams: VerifiedStreams { table == Self.kept.table ? .kept : .ofThisRun }

    /// Makes the tables of this run, empty.
    static let creation = Statement("verification_begin", "select begin_verification()")

    /// The name of a statement about it.
    func name(_ statement: String) -> String { table == Self.kept.table ? statement + "_kept" : statement }
}
