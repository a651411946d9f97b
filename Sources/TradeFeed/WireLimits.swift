/// The bounds of what is read from a wire. What goes beyond them is refused, never cut.
public enum WireLimits {
    /// A message, or a line of a file. A trade takes about 300 bytes.
    public static let messageBytesMax = 1_048_576
    /// Arrays and objects inside each other; a valid message needs three.
    public static let nestingDepthMax = 32
    /// Trades in one message.
    public static let arrayElementsMax = 10_000
}
