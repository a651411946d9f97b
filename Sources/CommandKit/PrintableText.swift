extension Unicode.Scalar {
    /// Whether a terminal would act on it, or let it change how its neighbours read, rather than show it.
    var isHostile: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
        // Of the format characters only the joiners of scripts and emoji are of use in a cell.
        case .format: value != 0x200C && value != 0x200D
        default: false
        }
    }

    /// The columns that it takes on a terminal.
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        return properties.isEmojiPresentation || wideRanges.contains { $0.contains(value) } ? 2 : 1
    }
}

/// Scalars of East Asian Width W or F, in ranges.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
    0xFFE0...0xFFE6, 0x17000...0x18CFF, 0x1B000...0x1B2FF, 0x1F200...0x1F2FF, 0x20000...0x3FFFD,
]

extension Character {
    var columns: Int {
        if unicodeScalars.contains("\u{FE0F}") { return 2 }
        return unicodeScalars.lazy.map(\.columns).max() ?? 0
    }
}

extension String {
    /// The text with everything a terminal would act on made visible: an escape becomes `\u{1B}`.
    public var printable: String {
        guard unicodeScalars.contains(where: \.isHostile) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.isHostile: result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The columns that it takes on a terminal.
    public var columns: Int { reduce(0) { $0 + $1.columns } }

    /// The text cut to so many columns, its last one an ellipsis if anything was cut.
    public func truncated(toColumns limit: Int) -> String {
        guard columns > limit else { return self }
        var result = ""
        var used = 0
        for character in self {
            guard used + character.columns <= limit - 1 else { break }
            result.append(character)
            used += character.columns
        }
        return limit > 0 ? result + "…" : ""
    }

    /// The text in lines of at most so many columns, broken between words; a line that begins with a blank stays whole.
    public func wrapped(toColumns limit: Int) -> [String] {
        split(separator: "\n", omittingEmptySubsequences: false).flatMap { paragraph -> [String] in
            if paragraph.first == " " { return [String(paragraph)] }
            var lines = [""]
            for word in paragraph.split(separator: " ") {
                let line = lines[lines.count - 1]
                if line.isEmpty {
                    lines[lines.count - 1] = String(word)
                } else if line.columns + 1 + String(word).columns <= limit {
                    lines[lines.count - 1] += " " + word
                } else {
                    lines.append(String(word))
                }
            }
            return lines
        }
    }

    /// The text in lines of at most so many columns, broken between words, and within those that are longer.
    func brokenUp(toColumns limit: Int) -> [String] {
        guard columns > limit, limit > 1 else { return [self] }
        return wrapped(toColumns: limit).flatMap { line -> [String] in
            var parts = [""]
            for character in line {
                if parts[parts.count - 1].columns + character.columns > limit { parts.append("") }
                parts[parts.count - 1].append(character)
            }
            return parts
        }
    }

    /// With blanks behind it, as wide as the columns if it is not wider already.
    public func padded(toColumns width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - columns))
    }
}

extension BinaryInteger {
    /// With its thousands apart: `1,204,000`.
    public var grouped: String {
        let digits = String(magnitude)
        var result = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// So many of something: `1 line`, `2,000 lines`. The plural is given where it is more than an added s.
    public func counted(_ noun: String, plural: String? = nil) -> String {
        "\(grouped) \(self == 1 ? noun : plural ?? noun + "s")"
    }
}
