import TradeModel

public enum EntryKind: String, Sendable, CaseIterable {
    case trade, fee, deposit, withdrawal, reserve, release, reversal
}

/// One change of one balance.
public struct LedgerEntry: Sendable {
    public let key: BalanceKey
    public let version: Int64
    public let kind: EntryKind
    public let market: MarketNumber?
    public let cause: Identifier
    public let availableDelta: Amount
    public let frozenDelta: Amount
    public let availableAfter: Amount
    public let frozenAfter: Amount

    public init(
        key: BalanceKey, version: Int64, kind: EntryKind, market: MarketNumber?, cause: Identifier,
        availableDelta: Amount, frozenDelta: Amount, availableAfter: Amount, frozenAfter: Amount
    ) {
        self.key = key
        self.version = version
        self.kind = kind
        self.market = market
        self.cause = cause
        self.availableDelta = availableDelta
        self.frozenDelta = frozenDelta
        self.availableAfter = availableAfter
        self.frozenAfter = frozenAfter
    }
}

/// Table `ledger_entries`.
public enum LedgerStore {
    /// For sessions that read it. A plan for the values at hand sees which ranges and which indexes they mean. What a
    /// range holds is found through the summary of its batch numbers also while there are no statistics of it.
    static let readingSettings = "set plan_cache_mode = force_custom_plan; set enable_seqscan = off"

    private static let kinds = EnumColumn<EntryKind>("entry_kind")

    /// Entries come with the row of their batch in one statement, which costs less than two.
    ///
    /// - Parameter frozen: the SQL for the change of what is frozen, and for what is frozen then.
    private static func append(_ name: String, frozen: (delta: String, after: String)) -> Statement {
        Statement(
            name,
            """
            with batch as (\(BatchStore.insertion))
            insert into ledger_entries (batch_no, place, account_no, asset_no, version, kind, market_no, cause_id,
                                        available_delta, frozen_delta, available_after, frozen_after)
            select $1, unnest($7), unnest($8), unnest($9), unnest($10), \(kinds.sql("unnest($11)")), unnest($12),
                   unnest($13), unnest($14), \(frozen.delta), unnest($15), \(frozen.after)
            """)
    }

    static let appendStatement = append("ledger_append", frozen: ("unnest($16)", "unnest($17)"))
    /// The same where nothing is frozen, which is so in most batches.
    static let appendAvailableStatement = append("ledger_append_available", frozen: ("0", "0"))

    /// - Parameter row: that of the batch, for ``BatchStore/insertion``.
    static func append(_ entries: [LedgerEntry], toBatch row: [Parameter]) -> Request {
        let common: [Parameter] = [
            .int4s(entries.indices) { Int32($0) },
            .int8s(entries) { $0.key.account }, .int4s(entries) { $0.key.asset }, .int8s(entries) { $0.version },
            .int4s(entries) { kinds.number(of: $0.kind) }, .int4s(entries) { $0.market }.emptyIfNull,
            .texts(entries) { $0.cause.text },
            .amounts(entries) { $0.availableDelta }, .amounts(entries) { $0.availableAfter },
        ]
        guard entries.contains(where: { $0.frozenDelta != .zero || $0.frozenAfter != .zero }) else {
            return Request(appendAvailableStatement, row + common)
        }
        return Request(
            appendStatement,
            row + common + [.amounts(entries) { $0.frozenDelta }, .amounts(entries) { $0.frozenAfter }])
    }
}
