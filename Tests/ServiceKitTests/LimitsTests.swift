import Foundation
import Testing

@testable import ServiceKit

@Suite struct LimitsTests {
    @Test func `every limit has an environment variable`() throws {
        let count = Mirror(reflecting: Limits()).children.count
        #expect(Limits.names.count + 1 == count, "all of them, and the number of connections")
        for (name, field, range) in Limits.names {
            let limits = try Limits(environment: [Limits.variable(of: name): "\(range.upperBound)"])
            #expect(limits[keyPath: field] == range.upperBound, "\(name)")
            #expect(range.contains(Limits()[keyPath: field]), "the default of \(name)")
        }
        #expect(try Limits(environment: ["SETTLE_CONNECTION_COUNT": "3"]).connectionCount == 3)
        #expect(try Limits(environment: [:]) == Limits())
    }

    @Test(arguments: ["abc", "0", "-1", "1.5", "99999999999999999999", " 1"])
    func `a value that makes no sense is refused by name`(text: String) {
        let error = #expect(throws: InvalidLimit.self) {
            try Limits(environment: ["SETTLE_QUEUE_CAPACITY": text])
        }
        #expect(
            error?.description.hasPrefix("SETTLE_QUEUE_CAPACITY: expected a whole number from 1 to 1000000") == true)
    }

    @Test func `the sample of the environment names every limit with its default`() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("config/settle.env")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        for (name, field, _) in Limits.names {
            #expect(lines.contains("#\(Limits.variable(of: name))=\(Limits()[keyPath: field])"), "\(name)")
        }
        let known = Set(Limits.names.map { Limits.variable(of: $0.name) })
            .union([
                "SETTLE_CONNECTION_COUNT", "SETTLE_INTAKE", "SETTLE_LOG_LEVEL", "SETTLE_MIGRATIONS", "SETTLE_WHEN_FULL",
                "DATABASE_URL",
            ])
        for line in lines where line.contains("=") && line.hasPrefix("#") && !line.hasPrefix("# ") {
            #expect(known.contains(String(line.dropFirst().prefix { $0 != "=" })), "\(line)")
        }
    }
}
