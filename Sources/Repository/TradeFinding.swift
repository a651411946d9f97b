/// Something that is not the same in the books and elsewhere.
public struct TradeFinding: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case missingHere = "missing_here"
        case missingThere = "missing_there"
        case different
        /// Here, and waiting to be settled.
        case pending
        /// Here, or known by its letter alone, and not settled.
        case parked
        /// Here, and the books contradict themselves: its entries stand without it, or its row is not what it was.
        case damaged
        /// Said twice, with other content.
        case repeated
    }

    public let kind: Kind
    public let place: Int64?
    public let market: String
    public let id: String
    /// What differs, and how it is said there and here.
    public let field: String?
    public let theirs: String?
    public let ours: String?
    /// The dead letter that stands on it, if one does.
    public let letter: Int64?
    public let letterStatus: LetterStatus?
    public let letterClass: String?

    public var name: String { "\(market):\(id)" }
}
