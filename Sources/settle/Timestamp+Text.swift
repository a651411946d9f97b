import TradeModel

extension Timestamp {
    /// In whole seconds, as tables show it: `2026-01-02T03:04:05Z`. JSON has the rest.
    var inSeconds: String { description.prefix(19) + "Z" }
}
