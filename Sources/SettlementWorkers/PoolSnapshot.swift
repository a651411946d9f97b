import TradeModel

/// What the pool is doing at one moment, for health checks, metrics and the heartbeat.
public struct PoolSnapshot: Sendable, Equatable {
    public enum Activity: Sendable, Equatable {
        case idle
        case settling(Int)
        /// Pauses after a failure, until so long after the pool was made.
        case backingOff(until: Duration)
        case waitingForDatabase
    }

    /// What one worker has done so far.
    public struct WorkerRecord: Sendable, Equatable {
        public var settled = 0
        /// How many items the last batch had that it committed.
        public var lastBatchSize = 0
    }

    public struct Counters: Sendable, Equatable {
        public var submitted = 0
        public var settled = 0
        public var duplicates = 0
        public var rejected: [FailureClass: Int] = [:]
        public var deferred = 0
        /// Calls of the wallet that failed and were repeated.
        public var retries = 0
        /// Batches that were committed.
        public var batches = 0
        /// Items that this pool wrote to the dead letters because their retries were spent or their data impossible.
        /// They are counted in `rejected` too.
        public var parked = 0
    }

    /// How many items wait. What failed batches gave back counts too, and may stand above the capacity for a moment.
    public var queueDepth: Int
    public var queueCapacity: Int
    /// Those of the waiting that wait for accounts which two workers have.
    public var setAside: Int
    public var inFlight: Int
    public var workers: [Activity]
    /// Of the same workers in the same order.
    public var records: [WorkerRecord]
    public var counters: Counters
    public var isOpen: Bool
}
