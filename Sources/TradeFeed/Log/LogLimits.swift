/// The bounds of what a log takes and holds in memory.
public enum LogLimits {
    /// One record: an order that sweeps a deep book has thousands of events.
    public static let recordBytesMax = 4_194_304
    /// Where a block on disk, and a piece of memory, ends; a single record may be larger.
    public static let blockBytesMax = 131_072
    /// So high a sequence is refused wherever it comes from, so that counting on from it cannot overflow.
    public static let sequenceMax = Int64.max / 2
    /// Segments that are held open for readers.
    static let openSegmentsMax = 8
    /// Readers whose place in the files is remembered, so that they need not look for it again.
    static let rememberedReadersMax = 64
}
