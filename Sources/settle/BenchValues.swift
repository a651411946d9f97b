import Benchmark
import CommandKit
import TradeModel

// How the words of a benchmark are written on the command line.

/// Several values in one argument, with commas between them.
struct CommaList<Element: ArgumentValue & Equatable>: ArgumentValue {
    let elements: [Element]

    init(_ elements: [Element]) { self.elements = elements }

    init(argument: String) throws {
        var elements: [Element] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let element = try Element(argument: String(part))
            if !elements.contains(element) { elements.append(element) }
        }
        self.elements = elements
    }

    var argumentText: String { elements.map(\.argumentText).joined(separator: ",") }
    static var valueName: String { Element.valueName }
}

/// A skew as typed; `zipf` takes its exponent from `--zipf`, `zipf:2.0` brings it.
struct SkewName: ArgumentValue, Equatable {
    enum Word: String, ArgumentValue, CaseIterable { case uniform, hot, ten, zipf }

    let word: Word
    let exponent: Exponent?

    init(_ word: Word) {
        self.word = word
        exponent = nil
    }

    init(argument: String) throws {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        word = try Word(argument: String(parts.first ?? ""))
        guard parts.count > 1 else {
            exponent = nil
            return
        }
        guard word == .zipf else { throw InvalidValue("only 'zipf' has an exponent") }
        exponent = try Exponent(argument: String(parts[1]))
    }

    var argumentText: String { word.rawValue + (exponent.map { ":\($0.argumentText)" } ?? "") }
    static var valueName: String { "uniform,hot,ten,zipf" }

    func skew(defaultExponent: Exponent) -> Skew {
        switch word {
        case .uniform: .uniform
        case .hot: .hot
        case .ten: .ten
        case .zipf: .zipf(exponent: (exponent ?? defaultExponent).value)
        }
    }
}

/// The exponent of Zipf's law, in hundredths: `1.0`, `0.75`.
struct Exponent: ArgumentValue, Equatable {
    private let hundredths: Int

    init(hundredths: Int) { self.hundredths = hundredths }

    init(argument: String) throws {
        guard let number = DecimalNumber(argument), let amount = number.amount(decimals: 2),
            (0...1_000).contains(amount.units)
        else { throw InvalidValue("expected a number from 0 to 10 such as 1.0") }
        hundredths = Int(amount.units)
    }

    var value: Double { Double(hundredths) / 100 }
    var argumentText: String { DecimalNumber(Int128(hundredths), scale: 2)!.description }
    static var valueName: String { "EXPONENT" }
}

/// A share of a hundred, in hundredths: `1`, `0.5`, `1%`.
struct Percent: ArgumentValue, Equatable {
    let basisPoints: Int

    init(basisPoints: Int) { self.basisPoints = basisPoints }

    init(argument: String) throws {
        let digits = argument.hasSuffix("%") ? String(argument.dropLast()) : argument
        guard let number = DecimalNumber(digits), let amount = number.amount(decimals: 2),
            (0...5_000).contains(amount.units)
        else { throw InvalidValue("expected a percentage from 0 to 50 such as 1 or 0.5") }
        basisPoints = Int(amount.units)
    }

    var argumentText: String { DecimalNumber(Int128(basisPoints), scale: 2)!.description }
    static var valueName: String { "PERCENT" }
}

/// So many trades a second, or a share of what the closed loop reaches: `20000/s`, `50%`.
struct BenchPace: ArgumentValue, Equatable {
    let pace: BenchmarkPlan.Pace

    init(argument: String) throws {
        if argument.hasSuffix("%") {
            guard let percent = Int(argument.dropLast()), (1...200).contains(percent) else {
                throw InvalidValue("expected a rate such as 20000/s, or 1% to 200% of what is reached without one")
            }
            pace = .percent(percent)
        } else {
            guard let rate = try? Rate(argument: argument), rate.perSecond <= 10_000_000 else {
                throw InvalidValue("expected a rate such as 20000/s, or 1% to 200% of what is reached without one")
            }
            pace = .perSecond(rate.perSecond)
        }
    }

    var argumentText: String {
        switch pace {
        case .perSecond(let rate): "\(rate)/s"
        case .percent(let percent): "\(percent)%"
        }
    }
    static var valueName: String { "N/s" }
}

/// What to compare with, as typed; `naive` is measured with one account for all fees and with several.
enum Comparison: String, ArgumentValue, CaseIterable {
    case naive, function, pgbench, copy

    static var valueName: String { "naive,function,pgbench,copy" }

    var opponents: [OpponentKind] {
        switch self {
        case .naive: [.naive, .naiveStriped]
        case .function: [.function]
        case .pgbench: [.pgbench]
        case .copy: [.copy]
        }
    }
}
