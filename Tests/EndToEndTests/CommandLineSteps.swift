import Foundation
import SettleTesting
import Testing

extension TestDatabase {
    /// Runs what a person would type behind `settle`, its words apart by blanks.
    func typing(_ line: String, _ environment: [String: String] = [:], input: String? = nil) async throws
        -> Program.Result
    {
        try await running(line.split(separator: " ").map(String.init), environment, input: input)
    }

    /// The same, for words that hold blanks or nothing.
    @discardableResult
    func running(_ words: [String], _ environment: [String: String] = [:], input: String? = nil) async throws
        -> Program.Result
    {
        try await Program(
            words, environment: ["DATABASE_URL": connectionString].merging(environment) { $1 }, input: input
        ).wait()
    }

    /// An assertion that a command line succeeds, with its stdout.
    @discardableResult
    func expecting(
        _ line: String, input: String? = nil, _ location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let result = try await typing(line, input: input)
        #expect(result.exitCode == 0, "settle \(line): \(result.errors)", sourceLocation: location)
        return result.output
    }

    /// A market with money on both sides: alice has 1000 USDT, bob has 10 BTC.
    func fund() async throws {
        try addMarket()
        try await expecting("deposit alice 1000 USDT --id fund-alice")
        try await expecting("deposit bob 10 BTC --id fund-bob")
    }

    /// Everything that a command could have changed, as one text; equal texts mean that nothing was.
    func contents() throws -> String {
        try [
            "assets", "markets", "accounts", "balances", "ledger_entries", "operations", "trades", "dead_letters",
            "dead_letter_attempts", "dead_letter_versions", "purged_letters", "queue_control", "operator_actions",
            "feed_gaps", "reversals",
        ].map { table in
            // The room in a new balance is given up by the first write that looks at it.
            let row = "(to_jsonb(t) - 'room')::text"
            let hash = "md5(coalesce(string_agg(\(row), ',' order by \(row)), ''))"
            return try "\(table) " + value("select count(*) || ' ' || \(hash) from \(table) t")
        }.joined(separator: "\n")
    }
}

/// A trade of alice and bob as a line of a file.
func tradeLine(
    _ id: String, price: String = "100", quantity: String = "1", buyer: String = "alice", seller: String = "bob",
    market: String = "BTC/USDT"
) -> String {
    """
    {"id":"\(id)","market":"\(market)","price":"\(price)","quantity":"\(quantity)",\
    "buyer_id":"\(buyer)","seller_id":"\(seller)"}

    """
}

/// A folder for the time of one test.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("settle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

extension String {
    /// The text with every time in it replaced, to be compared with what is expected.
    var withoutTimes: String {
        replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/, with: "TIME")
    }
}
