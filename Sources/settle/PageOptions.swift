import CommandKit

/// How much of a long list is shown: its beginning, or its end.
struct PageOptions: ParameterGroup {
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--last", "N", help: "The newest so many, instead of the first.") var last: Int?

    func validate() throws {
        try Self.check(limit)
        if let last { try Self.check(last, of: "--last") }
        if last != nil, $limit != .default { throw UsageError("'--last' goes without '--limit'") }
    }

    /// A page has at least one row, and none that would not fit into memory.
    static func check(_ count: Int, of flag: String = "--limit", max: Int = 100_000) throws {
        guard (1...max).contains(count) else { throw UsageError("'\(flag)' is from 1 to \(max), not \(count)") }
    }
}
