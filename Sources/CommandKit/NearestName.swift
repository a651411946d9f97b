/// The candidate a mistyped name most likely meant, or nil where none is near.
public func nearestName(to typed: String, among candidates: [String]) -> String? {
    let bare = bareName(typed)
    let completions = candidates.filter { bare.count > 1 && bareName($0).hasPrefix(bare) }
    if completions.count == 1 { return completions[0] }
    // No name is nearer than the difference in length, which costs nothing to know.
    return candidates.filter { abs(bareName($0).count - bare.count) <= 3 }
        .map { (name: $0, distance: editDistance(bare, bareName($0))) }
        .filter { $0.distance <= max(1, min(3, bareName($0.name).count / 3)) && $0.distance < bare.count }
        .min { $0.distance < $1.distance }?.name
}

private func bareName(_ name: String) -> String {
    String(name.drop { $0 == "-" }).lowercased()
}

/// The number of insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
func editDistance(_ first: String, _ second: String) -> Int {
    let (from, to) = (Array(first), Array(second))
    var before: [Int] = []
    var previous = Array(0...to.count)
    for row in 0..<from.count {
        var current = [row + 1]
        for column in 0..<to.count {
            let replaced = previous[column] + (from[row] == to[column] ? 0 : 1)
            var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, from[row] == to[column - 1], from[row - 1] == to[column] {
                best = min(best, before[column - 1] + 1)
            }
            current.append(best)
        }
        (before, previous) = (previous, current)
    }
    return previous[to.count]
}

/// "text, json or jsonl".
public func spokenList(_ words: [String], _ conjunction: String = "or") -> String {
    guard words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) " + words[words.count - 1]
}
