#if TSAN
    import Glibc

    /// A value behind a lock. The thread sanitizer understands `pthread_mutex`, but sees races in a contended `Mutex`.
    public final class Guarded<Value>: @unchecked Sendable {
        private var value: Value
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>

        public init(_ value: Value) {
            self.value = value
            mutex = .allocate(capacity: 1)
            pthread_mutex_init(mutex, nil)
        }

        deinit {
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        public func withLock<Result, Failure: Error>(
            _ body: (inout Value) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return try body(&value)
        }
    }
#else
    import Synchronization

    /// A value behind a lock, to be held for moments only.
    public final class Guarded<Value: Sendable>: Sendable {
        private let mutex: Mutex<Value>

        public init(_ value: Value) {
            mutex = Mutex(value)
        }

        public func withLock<Result: Sendable, Failure: Error>(
            _ body: (inout Value) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try mutex.withLock { (value) throws(Failure) in try body(&value) }
        }
    }
#endif
