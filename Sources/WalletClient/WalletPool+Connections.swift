extension WalletPool {
    /// One of the connections that settle, at one moment.
    public struct Connection: Sendable, Equatable {
        /// The number of PostgreSQL's process at the other end; nil while there is none.
        public var backend: Int32?
        /// The worker whose batch is settled over it.
        public var worker: Int?

        public init(backend: Int32?, worker: Int?) {
            self.backend = backend
            self.worker = worker
        }
    }

    /// The connections, always in the same order.
    public var connections: [Connection] {
        all.map { Connection(backend: $0.backend, worker: holders[ObjectIdentifier($0)]) }
    }
}
