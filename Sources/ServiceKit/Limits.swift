import TradeModel

/// Every limit of the service, with its default, in one place. The unit stands last in each name.
public struct Limits: Sendable, Equatable {
    /// How many trades wait in memory before the reader has to.
    public var queueCapacity = 2_000
    /// How many bytes of received messages wait in memory before the reader has to.
    public var queueBytesMax = 67_108_864
    /// How many batches may be in work at once.
    public var workerCount = 10
    /// How many connections settle; nil means one for each core.
    public var connectionCount: Int?
    /// How many trades one transaction takes at most.
    public var batchSizeMax = 1_000
    /// How many bytes of received messages one transaction takes at most; PostgreSQL takes no gigabyte at once.
    public var batchBytesMax = 16_777_216

    /// How often a trade that fails by itself is tried.
    public var retryAttemptsMax = 3
    public var retryBackoffMilliseconds = 100
    public var retryBackoffMillisecondsMax = 5_000

    /// So many failures in a row to reach the database open the circuit breaker.
    public var breakerFailuresMax = 3
    public var breakerPauseMilliseconds = 200
    public var breakerPauseMillisecondsMax = 5_000

    public var connectTimeoutSeconds = 5
    public var statementTimeoutMilliseconds = 30_000
    public var lockTimeoutMilliseconds = 10_000
    /// How often a batch is planned anew in one attempt because others moved the money it counted on.
    public var replanRoundsMax = 20

    /// How many balances, and how many accounts, a process remembers.
    public var cachedBalancesMax = 300_000
    /// How many recent ids a connection remembers.
    public var recentTradesMax = 65_536

    /// How often PENDING rows are looked for when no notification comes.
    public var sweepIntervalMilliseconds = 1_000
    /// How long a trade that waits for an older one is left alone: at first, and at most. It is a quarter of the time
    /// that it has waited for.
    public var deferralMilliseconds = 250
    public var deferralMillisecondsMax = 10_000
    public var heartbeatIntervalMilliseconds = 2_000
    /// A worker that was silent for so long is dead, and what it claimed is free.
    public var heartbeatTimeoutMilliseconds = 10_000

    public var shutdownTimeoutSeconds = 25

    /// Dead letters of these classes are retried without an operator; of none, unless configured.
    public var letterRetryClasses: [FailureClass] = []
    /// How often dead letters whose time has come are looked for, by one worker of all.
    public var letterRetryIntervalSeconds = 60
    /// How many of them are retried at a time.
    public var letterRetryBatchMax = 100
    /// How often one letter is retried so.
    public var letterRetryAttemptsMax = 5
    /// How long a letter is left alone after the first of these retries; twice as long after each further one.
    public var letterRetryBackoffSeconds = 300
    public var letterRetryBackoffSecondsMax = 21_600

    /// How often a worker verifies what was committed since; 0 for never.
    public var verifyIntervalSeconds = 10

    public init() {}
}
