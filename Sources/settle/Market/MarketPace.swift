/// How many trades a market is to make by now.
struct MarketPace {
    /// What was not made in time is made up for, but for no more than this.
    private static let arrearsMicroseconds = 250_000
    private static let second = 1_000_000
    /// More than any engine makes.
    private static let perSecondMax = 10_000_000

    private let perSecond: Int
    /// Millionths of a trade that are due; below zero when more were made.
    private var millionths = 0
    private var reckonedAt = 0

    init(perSecond: Int) {
        self.perSecond = min(perSecond, Self.perSecondMax)
    }

    /// - Parameter microseconds: the time since the market began.
    mutating func due(at microseconds: Int) -> Int {
        let elapsed = microseconds - reckonedAt
        reckonedAt = microseconds
        let most = max(Self.second, perSecond * Self.arrearsMicroseconds)
        millionths = min(most, millionths + perSecond * min(elapsed, Self.second))
        return max(0, millionths / Self.second)
    }

    mutating func made(_ trades: Int) {
        millionths -= trades * Self.second
    }
}
