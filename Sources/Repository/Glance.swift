import TradeModel

/// What somebody who watches wants to see every moment: cheap and bounded, and no substitute for `Verification`.
public enum Glance {
    /// Open letters, the newest so many of them, by class.
    public struct OpenLetters: Sendable, Equatable {
        public var counts: [String: Int64]
        /// Whether there may be older ones that were not counted.
        public var isCapped: Bool

        public init(counts: [String: Int64] = [:], isCapped: Bool = false) {
            self.counts = counts
            self.isCapped = isCapped
        }

        public var total: Int64 { counts.values.reduce(0, +) }
    }

    /// So many letters are counted.
    private static let openLettersMax = Int64(BoundedCount.bound)

    static let openLettersStatement = Statement(
        "glance_open_letters",
        """
        select class, count(*) from (
            select class from dead_letters where status = 'open' order by letter_no desc limit $1) newest
         group by class
        """)

    public static var openLetters: Request { Request(openLettersStatement, [.int8(openLettersMax)]) }

    public static func decodeOpenLetters(_ rows: Rows) -> OpenLetters {
        let counts = Dictionary(uniqueKeysWithValues: rows.indices.map { (rows.string($0, 0), rows.int64($0, 1)) })
        return OpenLetters(counts: counts, isCapped: counts.values.reduce(0, +) >= openLettersMax)
    }

    /// A letter in a few words.
    public struct LetterHeadline: Sendable, Equatable {
        public var number: Int64
        public var failureClass: String
        public var message: String
        public var source: String
    }

    static let newLettersStatement = Statement(
        "glance_new_letters",
        """
        select letter_no, class, message, source from dead_letters
         where letter_no > $1 order by letter_no desc limit $2
        """)

    /// Letters that were parked after another, the newest first.
    public static func newLetters(after number: Int64, limit: Int) -> Request {
        Request(newLettersStatement, [.int8(number), .int8(Int64(limit))])
    }

    public static func decodeNewLetters(_ rows: Rows) -> [LetterHeadline] {
        rows.indices.map {
            LetterHeadline(
                number: rows.int64($0, 0), failureClass: rows.string($0, 1), message: rows.string($0, 2),
                source: rows.string($0, 3))
        }
    }

    static let lastBatchStatement = Statement("glance_last_batch", "select coalesce(max(batch_no), 0) from batches")

    /// The number of the newest batch: what a worker settles from now on has higher ones.
    public static var lastBatch: Request { Request(lastBatchStatement) }

    static let booksStatement = Statement(
        "glance_books",
        """
        select (select count(*) from (
                    select from balances group by asset_no having sum(available + frozen) <> 0) unbalanced),
               (select coalesce(sum(trades), 0)::bigint from batches where batch_no > $1 and worker_no = $2)
        """)

    /// In how many assets the balances do not sum to zero, and how many trades a worker has settled since a batch.
    ///
    /// Reads all balances, so its cost grows with them; who asks again and again has to watch that.
    public static func books(since batch: BatchNumber, worker: Int64) -> Request {
        Request(booksStatement, [.int8(batch), .int8(worker)])
    }

    public static func decodeBooks(_ rows: Rows) -> (unbalancedAssets: Int64, settled: Int64) {
        (rows.int64(0, 0), rows.int64(0, 1))
    }
}
