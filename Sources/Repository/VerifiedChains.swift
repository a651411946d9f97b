/// A table of what was verified of the balances: each row says that some of a balance's entries, from one version to
/// another without a gap, follow from each other, and what the balance was before and after them.
struct VerifiedChains: Sendable {
    let table: String

    /// What every run begins with; gone with its session.
    static let ofThisRun = VerifiedChains(table: "checked_balances")
    /// What later runs rest on.
    static let kept = VerifiedChains(table: "verified_balances")

    /// SQL that makes it, empty. Its pages have room in which rows change without another one.
    var creation: String {
        """
        drop table if exists pg_temp.\(table);
        create temp table \(table) (
            account_no bigint, asset_no integer, first_version bigint, last_version bigint,
            available_before numeric, frozen_before numeric, available_after numeric, frozen_after numeric,
            primary key (account_no, asset_no, first_version)) with (fillfactor = 50)
        """
    }

    /// The name of a statement about it.
    func name(_ statement: String) -> String { table == Self.kept.table ? statement + "_kept" : statement }
}
