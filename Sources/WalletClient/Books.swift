import Repository
import TradeModel

/// What is known of the database when a batch is planned. Balances and accounts may be remembered from earlier
/// batches; those named in `fresh` and `freshAccounts` were read for this plan.
struct Books {
    var catalog = Catalog()
    var accounts: [Identifier: Account] = [:]
    var balances: [BalanceKey: Balance] = [:]
    var fresh: Set<BalanceKey> = []
    var freshAccounts: Set<Identifier> = []
    var holds: [OrderKey: Hold] = [:]
    var trades: [TradeKey: RecordedTrade] = [:]
    /// Whether `trades` holds all of the batch's trades that exist.
    var claimsAreKnown = false
    /// Whether what was decided before is left out of account, to predict what a retry would bring.
    var ignoresClaims = false
    /// Letters that say the same as trades of the batch, from before these could take a row.
    var oldLetters: [Trade: LetterWithoutRow] = [:]
    var operations: [Identifier: RecordedOperation] = [:]
    /// The place in line of the oldest PENDING trade of an account, outside the batch at hand.
    var oldestWaiting: [Identifier: Int64] = [:]
    /// The stripes of the house and of the outside world that this connection books to.
    var house: AccountNumber
    var world: AccountNumber
    /// An earlier attempt at this batch whose commit was not answered.
    var lostBatch: BatchNumber?
    /// Whether nothing is settled, and trades are stored to wait.
    var storesOnly = false

    init(house: AccountNumber, world: AccountNumber) {
        self.house = house
        self.world = world
    }

    /// Whether a trade is only stored, to wait: its market is halted, or nothing is settled any more.
    func isHeld(_ trade: Trade) -> Bool {
        guard let market = catalog.markets[trade.market] else { return false }
        return market.isHalted || storesOnly
    }

    /// A balance without a row. Customers have no credit before somebody gives it to them.
    func noBalance(_ key: BalanceKey) -> Balance {
        Balance(lowest: key.account == house || key.account == world ? nil : .zero)
    }
}
