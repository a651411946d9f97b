import Repository

extension RecordedAction {
    /// What was done, by whom and why: `credit line set to 50.00 EUR, before 0.00 EUR, by eve: market maker`.
    var words: String {
        let lines = detail.filter { $0.name.hasPrefix("credit_") }.map { "\($0.value) \($0.name.dropFirst(7))" }
        let what =
            switch action {
            case "freeze": "frozen"
            case "unfreeze": value("from") == "closed" ? "opened again" : "unfrozen"
            case "close": "closed" + (lines.isEmpty ? "" : " with its credit of \(lines.joined(separator: ", ")),")
            case "credit":
                "credit line set to \(value("amount")) \(value("asset")), before \(value("from")) \(value("asset")),"
            default: action
            }
        return "\(what) by \(actor)" + (reason.isEmpty ? "" : ": \(reason)")
    }

    private func value(_ name: String) -> String { detail.first { $0.name == name }?.value ?? "?" }
}
