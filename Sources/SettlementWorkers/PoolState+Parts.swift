import TradeModel

/// What the state is made of.
extension PoolState {
    /// What a worker is to settle together.
    struct Batch: Sendable {
        let lane: Int
        var items: [SettlementItem] = []
        var slots: [SlotNumber] = []
        var submittedAt: [Duration] = []

        /// Some neighbours of the batch.
        func part(_ range: Range<Int>) -> Self {
            Self(
                lane: lane, items: Array(items[range]), slots: Array(slots[range]),
                submittedAt: Array(submittedAt[range]))
        }
    }

    enum Place { case unused, waiting, blocked, inFlight }

    struct Slot {
        var item: SettlementItem?
        var submittedAt: Duration = .zero
        var sequence: UInt64 = 0
        var first = AccountTable.none
        var second = AccountTable.none
        var place = Place.unused
        /// The next item of the same lane while it waits; of the same account while it is set aside.
        var next = PoolState.none
        var nextOfSecond = PoolState.none
    }

    /// One worker and what waits for it. A worker has hands, so that a batch can be prepared while the one before it is
    /// written.
    struct Lane {
        var head = PoolState.none
        var tail = PoolState.none
        var waiting = 0
        var inFlight = 0
        /// How many hands of the worker have asked for work and have none.
        var readyCount = 0
        /// How many were given a batch and have not asked again.
        var busyCount = 0
        /// A batch of it takes more than one try, so none can follow it yet.
        var isStumbling = false
        /// The worker pauses after a failure; who need not wait for it should not.
        var isStalled = false
        /// How many batches of others were begun since this one could have begun its next.
        var passedOver = 0

        var isAwake: Bool { busyCount > 0 || waiting > 0 }

        /// Whether a hand is free for what waits. Behind the worker's own batch only a full one is begun: less would
        /// grow while it waits.
        func canStart(fullBatchSize: Int) -> Bool {
            readyCount > 0 && waiting > 0 && (busyCount == 0 || !isStumbling && waiting >= fullBatchSize)
        }
    }
}
