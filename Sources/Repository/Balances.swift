import TradeModel

/// One account's money in one asset.
public struct BalanceKey: Hashable, Sendable, Comparable {
    public let account: AccountNumber
    public let asset: AssetNumber

    public init(account: AccountNumber, asset: AssetNumber) {
        self.account = account
        self.asset = asset
    }

    public static func < (left: BalanceKey, right: BalanceKey) -> Bool {
        left.account == right.account ? left.asset < right.asset : left.account < right.account
    }
}

public struct Balance: Hashable, Sendable {
    public var available: Amount
    public var frozen: Amount
    public var version: Int64
    /// How far `available` may fall; nil for the house and the outside world.
    public var lowest: Amount?
    /// Whether the table has a row for it.
    public var isStored: Bool

    public init(
        available: Amount = .zero, frozen: Amount = .zero, version: Int64 = 0, lowest: Amount? = .zero,
        isStored: Bool = false
    ) {
        self.available = available
        self.frozen = frozen
        self.version = version
        self.lowest = lowest
        self.isStored = isStored
    }
}

/// What a batch does to one balance, and what must be true of the balance for the batch to hold.
public struct BalanceChange: Sendable {
    public let key: BalanceKey
    public var availableDelta: Amount
    public var frozenDelta: Amount
    public var entryCount: Int64
    /// The lowest points of the running sums, counted from the balance before the batch.
    public var availableLowest: Amount
    public var frozenLowest: Amount
    /// Something was rejected because there was no more than this, with a credit line down to that.
    public var ceiling: Amount?
    public var line: Amount?

    public init(
        key: BalanceKey, availableDelta: Amount, frozenDelta: Amount, entryCount: Int64, availableLowest: Amount,
        frozenLowest: Amount, ceiling: Amount?, line: Amount?
    ) {
        self.key = key
        self.availableDelta = availableDelta
        self.frozenDelta = frozenDelta
        self.entryCount = entryCount
        self.availableLowest = availableLowest
        self.frozenLowest = frozenLowest
        self.ceiling = ceiling
        self.line = line
    }
}

/// Table `balances`.
public enum BalanceStore {
    static let readStatement = Statement(
        "balances_read",
        """
        select wanted.place, b.available, b.frozen, b.version, b.lowest
          from (select unnest($1) as account_no, unnest($2) as asset_no, unnest($3) as place) wanted
          join balances b on b.account_no = wanted.account_no and b.asset_no = wanted.asset_no
        """)

    public static func read(_ keys: [BalanceKey]) -> Request {
        Request(
            readStatement,
            [.int8s(keys) { $0.account }, .int4s(keys) { $0.asset }, .int4s(keys.indices) { Int32($0) }])
    }

    /// The balances that there are, each with the place of its key among those asked for.
    public static func decode(_ rows: Rows) -> [(place: Int, balance: Balance)] {
        rows.indices.map { row in
            (
                Int(rows.int32(row, 0)),
                Balance(
                    available: rows.amount(row, 1), frozen: rows.amount(row, 2), version: rows.int64(row, 3),
                    lowest: rows.optional(row, 4, rows.amount), isStored: true)
            )
        }
    }

    static let openStatement = Statement(
        "balances_open",
        """
        insert into balances (account_no, asset_no, lowest)
        select unnest($1), unnest($2), unnest($3) on conflict (account_no, asset_no) do nothing
        """)

    /// Makes the rows that a batch needs and that do not exist. The keys must be in order.
    public static func open(_ keys: [(key: BalanceKey, lowest: Amount?)]) -> Request {
        Request(
            openStatement,
            [.int8s(keys) { $0.key.account }, .int4s(keys) { $0.key.asset }, .amounts(keys) { $0.lowest }])
    }

    /// A balance that does not meet its conditions is not returned, and the caller rolls back.
    static let applyStatement = Statement(
        "balances_apply",
        """
        update balances b
           set available = b.available + c.available_delta,
               frozen = b.frozen + c.frozen_delta,
               version = b.version + c.entries, \(givesUpRoom)
          from (select unnest($1) as account_no, unnest($2) as asset_no, unnest($3) as place, unnest($4) as entries,
                       unnest($5) as available_delta, unnest($6) as available_lowest, unnest($7) as ceiling,
                       unnest($8) as line, unnest($9) as frozen_delta, unnest($10) as frozen_lowest) c
         where \(isTheOne) and \(isCovered)
           and b.frozen + c.frozen_lowest >= 0
        returning \(written)
        """)
    /// The same where nothing is held or released: half the work.
    static let applyAvailableStatement = Statement(
        "balances_apply_available",
        """
        update balances b
           set available = b.available + c.available_delta, version = b.version + c.entries, \(givesUpRoom)
          from (select unnest($1) as account_no, unnest($2) as asset_no, unnest($3) as place, unnest($4) as entries,
                       unnest($5) as available_delta, unnest($6) as available_lowest, unnest($7) as ceiling,
                       unnest($8) as line) c
         where \(isTheOne) and \(isCovered)
        returning \(written)
        """)
    private static let isTheOne = "b.account_no = c.account_no and b.asset_no = c.asset_no"
    private static let isCovered = """
        (c.available_lowest is null or b.lowest is null or b.available + c.available_lowest >= b.lowest)
           and (c.ceiling is null or (b.available <= c.ceiling and b.lowest >= c.line))
        """
    /// A row is opened and changed for the first time in one transaction: until its end both versions need their place.
    private static let givesUpRoom = "room = case when b.version = 0 then b.room end"
    private static let written = "c.place, b.available, b.frozen, b.version, b.lowest"

    /// Each row that is written comes back with the place of its change, for ``decode(_:)``.
    ///
    /// The changes must be in the order of their keys, so that two batches never wait for each other in a ring.
    public static func apply(_ changes: [BalanceChange]) -> Request {
        let common: [Parameter] = [
            .int8s(changes) { $0.key.account }, .int4s(changes) { $0.key.asset },
            .int4s(changes.indices) { Int32($0) }, .int8s(changes) { $0.entryCount },
            .amounts(changes) { $0.availableDelta },
            .amounts(changes) { $0.availableLowest.isNegative ? $0.availableLowest : nil }.emptyIfNull,
            .amounts(changes) { $0.ceiling }.emptyIfNull, .amounts(changes) { $0.line }.emptyIfNull,
        ]
        guard changes.contains(where: { $0.frozenDelta != .zero || $0.frozenLowest != .zero }) else {
            return Request(applyAvailableStatement, common)
        }
        return Request(
            applyStatement,
            common + [.amounts(changes) { $0.frozenDelta }, .amounts(changes) { $0.frozenLowest }])
    }
}
