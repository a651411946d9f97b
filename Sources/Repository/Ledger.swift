import TradeModel

public enum EntryKind: String, Sendable, CaseIterable {
    case trade, fee, deposit, withdrawal, reserve, release
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

    static let appendStatement = Statement(
        "ledger_append",
        """
        insert into ledger_entries (batch_no, place, account_no, asset_no, version, kind, market_no, cause_id,
                                    available_delta, frozen_delta, available_after, frozen_after)
        select $1, place, account_no, asset_no, version, kind, market_no, cause_id,
               available_delta, coalesce(frozen_delta, 0), available_after, coalesce(frozen_after, 0)
          from (select unnest($2) as place, unnest($3) as account_no, unnest($4) as asset_no, unnest($5) as version,
                       \(kinds.sql("unnest($6)")) as kind, unnest($7) as market_no, unnest($8) as cause_id,
                       unnest($9) as available_delta, unnest($10) as frozen_delta,
                       unnest($11) as available_after, unnest($12) as frozen_after) appended
        """)

    public static func append(_ entries: [LedgerEntry], to batch: BatchNumber) -> Request {
        Request(
            appendStatement,
            [
                .int8(batch), .int4s(entries.indices) { Int32($0) },
                .int8s(entries) { $0.key.account }, .int4s(entries) { $0.key.asset }, .int8s(entries) { $0.version },
                .int4s(entries) { kinds.number(of: $0.kind) }, .int4s(entries) { $0.market }.emptyIfNull,
                .texts(entries) { $0.cause.text },
                .amounts(entries) { $0.availableDelta }, frozen(entries) { $0.frozenDelta },
                .amounts(entries) { $0.availableAfter }, frozen(entries) { $0.frozenAfter },
            ])
    }

    /// Nothing is frozen in most batches, and then nothing is sent.
    private static func frozen(_ entries: [LedgerEntry], _ amount: (LedgerEntry) -> Amount) -> Parameter {
        Parameter.amounts(entries) { amount($0) == .zero ? nil : amount($0) }.emptyIfNull
    }
}
