/// How trades spread over the accounts.
public enum Skew: Hashable, Sendable, Codable {
    /// Every account as often as every other.
    case uniform
    /// Four of five trades have the same market maker on one side.
    case hot
    /// Ten accounts in all.
    case ten
    /// The k-th busiest account trades in proportion to 1 / k^exponent.
    case zipf(exponent: Double)

    /// One word for it, as typed.
    public var name: String {
        switch self {
        case .uniform: "uniform"
        case .hot: "hot"
        case .ten: "ten"
        case .zipf: "zipf"
        }
    }
}

/// What trades are made: of whom, and how many that cannot be paid or come twice.
public struct LoadShape: Hashable, Sendable, Codable {
    public var accountCount: Int
    public var skew: Skew
    /// Of 10,000 trades, so many have a buyer without money.
    public var unfundableBasisPoints: Int
    /// Of 10,000 messages, so many repeat a trade that was sent before.
    public var duplicateBasisPoints: Int

    public static let accountCountMin = 10
    /// Customers beyond the others who have next to nothing; the buyers of trades that cannot be paid.
    static let poorAccountCount = 100
    static let hotPercent = 80
    static let tenCount = 10

    public init(accountCount: Int, skew: Skew, unfundableBasisPoints: Int = 0, duplicateBasisPoints: Int = 0) {
        precondition(accountCount >= Self.accountCountMin)
        self.accountCount = accountCount
        self.skew = skew
        self.unfundableBasisPoints = unfundableBasisPoints
        self.duplicateBasisPoints = duplicateBasisPoints
    }

    var isClean: Bool { unfundableBasisPoints == 0 && duplicateBasisPoints == 0 }

    /// The same load with nothing in it that is not settled.
    var clean: LoadShape { LoadShape(accountCount: accountCount, skew: skew) }
}
