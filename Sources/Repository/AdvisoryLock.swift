/// The first numbers of all advisory locks, in one place, since two uses of one number would wait for each other.
public enum AdvisoryLock {
    /// Of the functions of the migrations: ranges of the ledger and, with ``newMarket``, whoever adds a market alone,
    /// and shared those who need that nobody does.
    static let migrationFunctions = 7401
    static let newMarket = 3
    /// Whoever migrates; without a second number.
    static let migrations = 7400
    /// With the number of a stripe of the house and the outside world: the connection that books there.
    static let stripe = 7402
    /// With the number of a market: shared by those who settle in it, alone for whoever halts it.
    /// With ``allMarkets``: shared by those who settle in any, alone for whoever seals the queue.
    static let market = 7403
    static let allMarkets = 0
    /// With 1: the process that builds the ledger's indexes.
    static let readingIndexes = 7404
    /// With 1: the worker that retries dead letters by itself.
    static let letterRetry = 7405
    /// With 1: the process that counts the numbers of other engines' trades.
    static let streamCounting = 7408
    /// With 1: the process that seals batches.
    static let sealing = 7407
    /// With 1: the worker that verifies what was committed, and whoever keeps the result of a run.
    static let verification = 7409
    /// With the hash of a name: the benchmark that has a scratch database of this name.
    public static let scratchDatabase = 7406
}
