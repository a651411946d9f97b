import CommandKit
import ServiceKit

extension Setting {
    /// The word that was most likely meant where the value is none of those that are allowed.
    func suggestion(for text: String) -> String? {
        switch kind {
        case .choice(let words): return nearestName(to: text, among: words)
        case .choices(let words):
            let parts = text.split(separator: ",").map { $0.trimmingPrefix { $0 == " " }.description }
            return parts.first { !words.contains($0) }.flatMap { nearestName(to: $0, among: words) }
        case .number, .text: return nil
        }
    }
}
