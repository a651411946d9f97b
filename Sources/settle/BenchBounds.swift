import Benchmark
import CommandKit
import TradeModel

/// How many times as fast as an opponent settling has to be, in hundredths: `naive=7`, `pgbench=2.5`.
struct RatioBound: ArgumentValue, Equatable {
    let opponent: OpponentKind
    private let hundredths: Int

    init(argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let names = OpponentKind.allCases.map(\.rawValue)
        guard let opponent = OpponentKind(rawValue: String(parts[0])) else {
            throw InvalidValue(
                "expected \(spokenList(names)), with a number such as naive=7",
                suggestion: nearestName(to: String(parts[0]), among: names))
        }
        guard parts.count == 2, let number = DecimalNumber(String(parts[1])), let amount = number.amount(decimals: 2),
            (1...100_000_000).contains(amount.units)
        else { throw InvalidValue("expected an opponent and a number such as naive=7") }
        self.opponent = opponent
        hundredths = Int(amount.units)
    }

    var value: Double { Double(hundredths) / 100 }
    var number: String { DecimalNumber(Int128(hundredths), scale: 2)!.description }
    var argumentText: String { "\(opponent.rawValue)=\(number)" }
    static var valueName: String { "NAME=N" }
}

/// A size of memory: `200MB`, `1GB`.
struct ByteSize: ArgumentValue, Equatable {
    let megabytes: Int

    init(argument: String) throws {
        let isGigabytes = argument.hasSuffix("GB")
        guard isGigabytes || argument.hasSuffix("MB"), let number = Int(argument.dropLast(2)),
            (1...1_000_000).contains(number)
        else { throw InvalidValue("expected a size such as 200MB or 1GB") }
        megabytes = isGigabytes ? number * 1_024 : number
    }

    var bytes: Int { megabytes * 1_048_576 }
    var argumentText: String { "\(megabytes)MB" }
    static var valueName: String { "SIZE" }
}

/// What was asked of a measurement, and what came of it.
struct BenchBound {
    let text: String
    let holds: Bool
    let json: JSONValue
}

extension BenchmarkReport {
    /// Each load that was settled as fast as it goes against each ratio, and the memory.
    func bounds(ratios: [RatioBound], memoryMax: ByteSize?) -> [BenchBound] {
        var bounds = cases.filter { $0.kind.pace == nil }.flatMap { result in
            ratios.map { bound in
                let measured = Spread(result.ratios[bound.opponent] ?? [])?.median
                let holds = measured.map { $0 >= bound.value } ?? false
                let name = bound.opponent.rawValue
                let found = measured.map { "\($0.rounded(decimals: 2)) x \(name)" } ?? "not compared with \(name)"
                return BenchBound(
                    text: "\(self.name(result)): \(found), \(holds ? "not" : "which is") below \(bound.number)",
                    holds: holds,
                    json: [
                        "run": .string(self.name(result)), "what": .string(name),
                        "measured": .measure(measured, decimals: 3), "at_least": .measure(bound.value, decimals: 2),
                        "holds": .bool(holds),
                    ])
            }
        }
        if let memoryMax {
            let holds = peakBytes <= memoryMax.bytes
            bounds.append(
                BenchBound(
                    text: "memory: \((peakBytes / 1_048_576).grouped) MB, "
                        + "\(holds ? "not" : "which is") above \(memoryMax.megabytes.grouped) MB",
                    holds: holds,
                    json: [
                        "run": .null, "what": "memory_bytes", "measured": .integer(peakBytes),
                        "at_most": .integer(memoryMax.bytes), "holds": .bool(holds),
                    ]))
        }
        return bounds
    }
}
