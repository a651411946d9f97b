/// The characters that the panel draws with: those of Unicode where the locale knows them, else plain ones.
struct PanelGlyphs {
    /// From the lowest column to the highest.
    let steps: [Character]
    let filled: Character
    let empty: Character
    let dot: String
    let ellipsis: String

    static let unicode = PanelGlyphs(
        steps: Array("▁▂▃▄▅▆▇█"), filled: "█", empty: "░", dot: "·", ellipsis: "…")
    static let ascii = PanelGlyphs(steps: Array("_.:-=+*#"), filled: "#", empty: ".", dot: "-", ellipsis: "~")

    var isASCII: Bool { filled.isASCII }

    /// As the locale says, by the first of the variables that is set.
    static func matching(_ environment: [String: String]) -> PanelGlyphs {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        return name.contains("utf-8") || name.contains("utf8") ? .unicode : .ascii
    }

    /// A part of a whole as a bar; anything above nothing shows.
    func bar(_ part: Int, of whole: Int, columns: Int) -> (filled: String, empty: String) {
        guard whole > 0, columns > 0 else { return ("", String(repeating: empty, count: max(0, columns))) }
        let exact = (min(part, whole) * columns + whole / 2) / whole
        let count = part > 0 ? max(1, exact) : 0
        return (String(repeating: filled, count: count), String(repeating: empty, count: columns - count))
    }

    /// The course of a number: each column is the mean of some neighbours, the highest column the greatest mean.
    ///
    /// - Parameter before: how many numbers came before the first; columns begin at multiples of their width, so that
    ///   they keep their height while they move to the left.
    func sparkline(_ numbers: [Int], before: Int, perColumn: Int, columns: Int) -> String {
        guard columns > 0, !numbers.isEmpty else { return "" }
        var means: [Int] = []
        var index = (perColumn - before % perColumn) % perColumn
        while index < numbers.count {
            let part = numbers[index..<min(index + perColumn, numbers.count)]
            means.append(part.reduce(0, +) / part.count)
            index += perColumn
        }
        means = means.suffix(columns)
        let highest = max(1, means.max() ?? 1)
        return String(means.map { steps[($0 * (steps.count - 1) + highest / 2) / highest] })
    }
}
