import Foundation
import TradeModel

/// What a bundle says of itself: `manifest.json`.
public struct BundleManifest: Codable, Equatable, Sendable {
    public struct Mark: Codable, Equatable, Sendable {
        public let seal: Int64
        public let hash: String

        public init(_ mark: SealMark) {
            seal = mark.seal
            hash = "\(mark.chain)"
        }

        public var mark: SealMark? { seal < 0 ? nil : Digest(hex: hash).map { SealMark(seal: seal, chain: $0) } }
    }

    public struct File: Codable, Equatable, Sendable {
        public let name: String
        public let columns: [String]
        public let lines: Int64
        public let bytes: Int64
        public let sha256: String

        public init(name: String, columns: [String], lines: Int64, bytes: Int64, sha256: String) {
            self.name = name
            self.columns = columns
            self.lines = lines
            self.bytes = bytes
            self.sha256 = sha256
        }
    }

    public static let fileName = "manifest.json"
    static let format = "settle-audit"
    static let version = 1
    static let bytesMax = 1 << 16

    public let format: String
    public let version: Int
    /// What wrote it.
    public let program: String
    /// From when to before when: the day, in UTC.
    public let since: String
    public let until: String
    public let exportedAt: String
    /// The last seal before the bundle's, and its last one; the same where it has none.
    public let before: Mark
    public let after: Mark
    public let files: [File]

    enum CodingKeys: String, CodingKey {
        case format, version, program, since, until, before, after, files
        case exportedAt = "exported_at"
    }

    public init(
        program: String, period: Range<Timestamp>, exportedAt: Timestamp, before: SealMark, after: SealMark,
        files: [File]
    ) {
        format = Self.format
        version = Self.version
        self.program = program
        since = "\(period.lowerBound)"
        until = "\(period.upperBound)"
        self.exportedAt = "\(exportedAt)"
        self.before = Mark(before)
        self.after = Mark(after)
        self.files = files
    }

    /// From when to before when; nil where it says no such thing.
    public var period: Range<Timestamp>? {
        guard let since = Timestamp(since), let until = Timestamp(until), since < until else { return nil }
        return since..<until
    }

    public func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }

    init(decoding bytes: [UInt8]) throws(BundleProblem) {
        guard let manifest = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else {
            throw BundleProblem("\(Self.fileName) is not that of a bundle, or was cut off")
        }
        guard manifest.format == Self.format, manifest.version == Self.version else {
            throw BundleProblem("\(Self.fileName) is of another format than \(Self.format) \(Self.version)")
        }
        guard manifest.period != nil, manifest.before.mark != nil, manifest.after.mark != nil else {
            throw BundleProblem("\(Self.fileName) says no period, or no seal before and after it")
        }
        self = manifest
    }
}

/// The files of a bundle beside its manifest.
public enum BundleContent: Hashable, Sendable, CaseIterable {
    case table(SealedTable)
    case seals
    /// What each balance was at the beginning and at the end of the period.
    case balances

    public static let allCases = SealedTable.allCases.map { BundleContent.table($0) } + [.seals, .balances]

    public var fileName: String {
        switch self {
        case .table(let table): "\(table.rawValue).tsv"
        case .seals: "seals.tsv"
        case .balances: "balances.tsv"
        }
    }

    public var columns: [String] {
        switch self {
        case .table(let table): table.columns
        case .seals: Seal.columns
        case .balances:
            [
                "account_kind", "account", "asset", "opening_version", "opening_available", "opening_frozen",
                "closing_version", "closing_available", "closing_frozen",
            ]
        }
    }
}

/// Why a bundle cannot be looked at.
public struct BundleProblem: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
