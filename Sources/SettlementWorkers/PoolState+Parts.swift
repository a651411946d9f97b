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

    /// One worker and what waits for it.
    struct Lane {
        var head = PoolState.none
        var tail = PoolState.none
        var waiting = 0
        var inFlight = 0
        /// The worker has asked for work and has none.
        var isReady = false
        /// The worker was given a batch and has not asked again.
        var isBusy = false
        /// The worker pauses after a failure; who need not wait for it should not.
        var isStalled = false

        var isAwake: Bool { isBusy || waiting > 0 }
    }
}
