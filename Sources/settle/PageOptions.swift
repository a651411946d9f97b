import CommandKit

/// How much of a long list is shown: its beginning, or its end.
struct PageOptions: ParameterGroup {
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--last", "N", help: "The newest so many, instead of the first.") var last: Int?

    func validate() throws {
        for (flag, value) in [("--limit", limit), ("--last", last ?? 1)] where !(1...100_000).contains(value) {
            throw UsageError("'\(flag)' is from 1 to 100000, not \(value)")
        }
        if last != nil, $limit != .default { throw UsageError("'--last' goes without '--limit'") }
    }
}
