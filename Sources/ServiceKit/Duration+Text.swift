extension Duration {
    /// In milliseconds with one decimal, for logs and people: `12.5`.
    public var milliseconds: String {
        let (seconds, attoseconds) = components
        let tenths = seconds * 10_000 + attoseconds / 100_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
