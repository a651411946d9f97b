import TradeModel

/// What everybody had at one record, while the engine goes on.
///
/// Accounts and the places of their balances only become more, so that the amounts are all that must be copied: 32
/// bytes for each balance.
public struct BalanceCopy: Sendable {
    public let sequence: UInt64
    public let hash: UInt64
    public let accountCount: Int
    /// What the house earned of each asset.
    public let house: [Int128]
    let balances: [AccountBook.Balance]
}

extension MatchingEngine {
    public func copyBalances() -> BalanceCopy {
        BalanceCopy(
            sequence: sequence, hash: hash, accountCount: book.accounts.count,
            house: assets.indices.map { totals[Int32($0)].house },
            balances: Array(UnsafeBufferPointer(start: book.balances.base, count: book.balances.high)))
    }

    /// The assets that are listed, in the order of their numbers.
    public var listedAssets: [(symbol: AssetSymbol, decimals: Int)] { assets.map { ($0.symbol, $0.decimals) } }

    public func accountID(_ number: Int) -> String { String(decoding: book.text(Int32(number)), as: UTF8.self) }

    /// What an account had in each asset when the copy was made; it had none of those that are not given.
    public func forEachBalance(
        of account: Int, in copy: BalanceCopy, _ body: (_ asset: Int, _ balance: EngineBalance) -> Void
    ) {
        for asset in copy.house.indices {
            guard let place = book.balance(Int32(account), Int32(asset)), Int(place) < copy.balances.count else {
                continue
            }
            body(asset, EngineBalance(copy.balances[Int(place)]))
        }
    }
}
