import TradeModel

/// One seal: what a stretch of batches brought, as it was when it was complete.
public struct Seal: Hashable, Sendable {
    /// How many lines a table has in the stretch, and the digest of them.
    public struct Content: Hashable, Sendable {
        public let lines: Int64
        public let digest: Digest

        public init(lines: Int64, digest: Digest) {
            self.lines = lines
            self.digest = digest
        }
    }

    public let number: Int64
    /// The batches from the lower to before the upper bound.
    public let batches: Range<Int64>
    /// In the order of ``SealedTable``.
    public let contents: [Content]
    public let sealedAt: Timestamp
    public let chain: Digest

    public init(number: Int64, batches: Range<Int64>, contents: [Content], sealedAt: Timestamp, chain: Digest) {
        precondition(contents.count == SealedTable.allCases.count, "a seal covers every table")
        self.number = number
        self.batches = batches
        self.contents = contents
        self.sealedAt = sealedAt
        self.chain = chain
    }

    /// The one that follows another.
    public init(
        after previous: Seal?, upTo nextBatch: Int64, contents: [Content], sealedAt: Timestamp
    ) {
        let unchained = Seal(
            number: (previous?.number ?? 0) &+ 1, batches: (previous?.batches.upperBound ?? 0)..<nextBatch,
            contents: contents, sealedAt: sealedAt, chain: .zero)
        self.init(
            number: unchained.number, batches: unchained.batches, contents: contents, sealedAt: sealedAt,
            chain: unchained.chained(to: previous?.chain ?? .zero))
    }

    public subscript(table: SealedTable) -> Content { contents[SealedTable.allCases.firstIndex(of: table)!] }

    /// What its own chain must be, behind the chain of the seal before.
    public func chained(to previous: Digest) -> Digest {
        SHA256.digest(of: "\(previous)\t\(statement)\n")
    }

    /// What it says but for the chain: number, bounds, counts, digests and time, with a tab between.
    public var statement: String {
        let numbers = [number, batches.lowerBound, batches.upperBound] + contents.map(\.lines)
        return (numbers.map(String.init) + contents.map(\.digest.description) + ["\(sealedAt.microseconds)"])
            .joined(separator: "\t")
    }

    /// As it stands in a bundle: what it says, and its chain.
    public var line: String { "\(statement)\t\(chain)" }

    /// The columns of ``line``.
    public static let columns =
        ["seal", "first_batch", "next_batch"] + SealedTable.allCases.map(\.rawValue)
        + SealedTable.allCases.map { "\($0.rawValue)_sha256" } + ["sealed_at", "chain"]

    /// Returns nil for what is no line of a seal.
    public init?(line: some StringProtocol) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        let tables = SealedTable.allCases.count
        guard fields.count == Self.columns.count else { return nil }
        // Written as it would be written here: one text for each seal.
        let numbers = (fields[..<(3 + tables)] + [fields[3 + 2 * tables]]).compactMap { field in
            Int64(field).flatMap { String($0) == field ? $0 : nil }
        }
        let digests = (fields[(3 + tables)..<(3 + 2 * tables)] + [fields[4 + 2 * tables]]).compactMap { field in
            Digest(hex: field).flatMap { "\($0)" == field ? $0 : nil }
        }
        guard numbers.count == 4 + tables, digests.count == tables + 1, numbers.dropLast().allSatisfy({ $0 >= 0 }),
            numbers[0] > 0, numbers[1] < numbers[2]
        else { return nil }
        self.init(
            number: numbers[0], batches: numbers[1]..<numbers[2],
            contents: (0..<tables).map { Content(lines: numbers[3 + $0], digest: digests[$0]) },
            sealedAt: Timestamp(microseconds: numbers[3 + tables]), chain: digests[tables])
    }
}

/// A place in a chain of seals that somebody wrote down: `17:9f86d081…`.
public struct SealMark: Hashable, Sendable, CustomStringConvertible {
    public let seal: Int64
    public let chain: Digest

    public init(seal: Int64, chain: Digest) {
        self.seal = seal
        self.chain = chain
    }

    public init(_ seal: Seal) {
        self.init(seal: seal.number, chain: seal.chain)
    }

    /// Before the first seal.
    public static let start = SealMark(seal: 0, chain: .zero)

    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let seal = Int64(parts[0]), seal >= 0, let chain = Digest(hex: parts[1]) else {
            return nil
        }
        self.init(seal: seal, chain: chain)
    }

    public var description: String { "\(seal):\(chain)" }
}
