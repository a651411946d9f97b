import TradeModel

/// Remembers which trades were seen lately, within a bound. It only says where a look is worth its cost: a trade that
/// is forgotten, or found by mistake, is still decided by the database.
struct RecentTrades {
    private var young: Set<Int> = []
    private var old: Set<Int> = []
    private let countMax: Int

    init(countMax: Int) {
        self.countMax = max(2, countMax)
    }

    func mayContain(_ key: TradeKey) -> Bool {
        let hash = key.hashValue
        return young.contains(hash) || old.contains(hash)
    }

    mutating func insert(_ key: TradeKey) {
        if young.count >= countMax / 2 {
            old = young
            young = []
        }
        young.insert(key.hashValue)
    }
}
