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
    private static let kinds = EnumColumn<EntryKind>("entry_kind")

    static let appendStatement = Statement(
        "ledger_append",
        """
        insert into ledger_entries (batch_no, place, account_no, asset_no, version, kind, market_no, cause_id,
                                    available_delta, frozen_delta, available_after, frozen_after)
        select $1, unnest($2), unnest($3), unnest($4), unnest($5), \(kinds.sql("unnest($6)")), unnest($7),
               unnest($8), unnest($9), unnest($10), unnest($11), unnest($12)
        """)

    public static func append(_ entries: [LedgerEntry], to batch: BatchNumber) -> Request {
        Request(
            appendStatement,
            [
                .int8(batch), .int4s(entries.indices) { Int32($0) },
                .int8s(entries) { $0.key.account }, .int4s(entries) { $0.key.asset }, .int8s(entries) { $0.version },
                .int4s(entries) { kinds.number(of: $0.kind) }, .int4s(entries) { $0.market }.emptyIfNull,
                .texts(entries) { $0.cause.text },
                .amounts(entries) { $0.availableDelta }, .amounts(entries) { $0.frozenDelta },
                .amounts(entries) { $0.availableAfter }, .amounts(entries) { $0.frozenAfter },
            ])
    }
}
