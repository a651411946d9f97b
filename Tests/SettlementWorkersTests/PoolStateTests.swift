import Testing
import TradeModel

@testable import SettlementWorkers

@Suite struct PoolStateTests {
    /// A pool whose workers are all ready, unless told otherwise.
    private func pool(
        capacity: Int = 100, lanes: Int = 2, batch: Int = 4, connections: Int = 1, ready: Bool = true
    ) -> PoolState {
        var state = PoolState(
            capacity: capacity, laneCount: lanes, batchSizeMax: batch, connectionCount: connections)
        if ready { for lane in 0..<lanes { _ = state.ready(lane) } }
        return state
    }

    @discardableResult
    private func submit(_ items: SettlementItem..., to state: inout PoolState) -> PoolState.Action {
        state.submit(items, ticket: 1, at: .zero).1
    }

    @Test func `a worker that is ready starts with the first trade and does not wait for more`() {
        var state = pool()
        #expect(submit(trade(1, 1, 2), to: &state).started == [0: [1]])
    }

    @Test func `what arrives during a batch becomes the next one, in order`() {
        var state = pool()
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        for number in 2...4 { submit(trade(number, 2 * number, 2 * number + 1), to: &state) }
        _ = state.complete(first.slots, of: 0)
        #expect(state.ready(0).started == [0: [2, 3, 4]])
    }

    @Test func `with half of the queue taken, more comes than is settled`() {
        var state = pool(capacity: 8, lanes: 1, ready: false)
        for number in 1...3 { submit(trade(number, 1, 2), to: &state) }
        #expect(!state.isCrowded)
        submit(trade(4, 1, 2), to: &state)
        #expect(state.isCrowded)
        _ = state.ready(0)
        #expect(!state.isCrowded)
    }

    @Test func `a batch is never larger than allowed`() {
        var state = pool(lanes: 1, ready: false)
        for number in 1...9 { submit(trade(number, 1, 2), to: &state) }
        let first = state.ready(0).starts[0]
        #expect(first.numbers == [1, 2, 3, 4])
        #expect(state.waitingCount == 5)
        #expect(state.inFlightCount == 4)
    }

    @Test func `a batch ends before its messages are too large together, and has one at least`() {
        var state = PoolState(capacity: 100, laneCount: 1, batchSizeMax: 10, batchBytesMax: 10)
        for (number, bytes) in [(1, 4), (2, 6), (3, 1), (4, 50), (5, 0)] {
            submit(trade(number, 1, 2, bytes: bytes), to: &state)
        }
        for expected in [[1, 2], [3], [4], [5]] {
            let batch = state.ready(0).starts[0]
            #expect(batch.numbers == expected)
            _ = state.complete(batch.slots, of: 0)
        }
        #expect(state.isIdle)
    }

    @Test func `a queue of large messages is full before it has many`() throws {
        var state = PoolState(capacity: 100, laneCount: 1, batchSizeMax: 2, queueBytesMax: 10)
        let items = (1...4).map { trade($0, 1, 2, bytes: 9) }
        #expect(state.submit(items, ticket: 1, at: .zero).0 == .waiting)
        #expect(state.waitingCount == 2)
        #expect(throws: PoolError.full) { try state.trySubmit(trade(5, 1, 2), at: .zero) }
        // What starts makes room at once.
        let first = state.ready(0)
        #expect(first.answers.map(\.answer) == [.taken])
        #expect(state.waitingCount == 2)
        // What a batch gives back counts again.
        _ = state.stall(0, givingBack: first.starts[0])
        #expect(throws: PoolError.full) { try state.trySubmit(trade(5, 1, 2), at: .zero) }
        _ = state.stop()
        #expect(state.removeLeftovers().map(\.number) == [1, 2, 3, 4])
    }

    @Test func `a second lane is woken only when the first has a full batch`() {
        var state = pool()
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        for number in 2...5 { #expect(submit(trade(number, 2 * number, 2 * number + 1), to: &state).started.isEmpty) }
        #expect(state.lanes[0].waiting == 4)
        submit(trade(6, 12, 13), to: &state)
        #expect(state.lanes[1].waiting == 1)
        #expect(first.numbers == [1])
    }

    @Test func `a second lane is woken when a connection has nothing to do`() {
        var state = pool(lanes: 3, connections: 2)
        #expect(submit(trade(1, 1, 2), to: &state).started == [0: [1]])
        #expect(submit(trade(2, 3, 4), to: &state).started == [1: [2]])
        #expect(submit(trade(3, 5, 6), trade(4, 7, 8), to: &state).started.isEmpty)
        #expect(state.lanes.map(\.waiting) == [1, 1, 0])
    }

    @Test func `no lane is woken for a connection while trades are set aside between lanes`() {
        var state = pool(lanes: 3, connections: 3)
        submit(trade(1, 1, 2), to: &state)
        submit(trade(2, 3, 4), to: &state)
        submit(trade(3, 2, 3), to: &state)
        #expect(state.blockedCount == 1)
        #expect(submit(trade(4, 5, 6), to: &state).started.isEmpty)
        #expect(state.lanes.map(\.waiting) == [1, 0, 0])
    }

    @Test func `crumbs wait while another lane has a full batch, and start together with it`() {
        var state = pool()
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        for number in 2...5 { submit(trade(number, 2 * number, 2 * number + 1), to: &state) }
        #expect(submit(trade(6, 12, 13), to: &state).started.isEmpty)
        _ = state.complete(first.slots, of: 0)
        #expect(state.ready(0).started == [0: [2, 3, 4, 5], 1: [6]])
    }

    @Test func `crumbs wait for one batch of the others, not for their whole queue`() {
        var state = pool()
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        for number in 2...12 { submit(trade(number, 1, 100 + number), to: &state) }
        #expect(submit(trade(13, 3, 4), to: &state).started.isEmpty)
        _ = state.complete(first.slots, of: 0)
        let next = state.ready(0)
        #expect(next.started == [0: [2, 3, 4, 5], 1: [13]])
        #expect(state.lanes[0].waiting == 7)
    }

    @Test func `half a batch is no crumb`() {
        var state = pool()
        for number in 1...5 { submit(trade(number, 2 * number, 2 * number + 1), to: &state) }
        #expect(submit(trade(6, 12, 13), to: &state).started.isEmpty)
        #expect(submit(trade(7, 14, 15), to: &state).started == [1: [6, 7]])
    }

    @Test func `a trade goes to the lane that has one of its accounts`() {
        var state = pool(ready: false)
        for number in 1...4 { submit(trade(number, 2 * number, 2 * number + 1), to: &state) }
        submit(trade(5, 100, 101), to: &state)
        #expect(state.lanes.map(\.waiting) == [4, 1])
        submit(trade(6, 2, 200), to: &state)
        submit(trade(7, 300, 101), to: &state)
        submit(deposit(8, 3), to: &state)
        #expect(state.lanes.map(\.waiting) == [6, 2])
    }

    @Test func `a trade between two lanes is set aside until one lets go, and later ones of its accounts with it`() {
        var state = pool(batch: 2)
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        submit(trade(2, 3, 4), trade(3, 5, 6), to: &state)
        let second = submit(trade(4, 7, 8), to: &state).starts[0]
        #expect(second.lane == 1)

        submit(trade(5, 1, 7), to: &state)
        submit(trade(6, 1, 50), to: &state)
        submit(trade(7, 8, 51), to: &state)
        #expect(state.blockedCount == 2)
        #expect(state.lanes.map(\.waiting) == [2, 1])

        // Lane 1 still has account 8 waiting, but lets go of 7: trade 5 can go where account 1 is, 6 after it.
        _ = state.complete(second.slots, of: 1)
        #expect(state.blockedCount == 0)
        #expect(state.lanes[0].waiting == 4)
        _ = state.complete(first.slots, of: 0)
        #expect(state.ready(0).started[0] == [2, 3])
        #expect(state.ready(0).started[0] == [5, 6])
    }

    @Test func `an account stays with its lane while anything of it is queued there`() {
        var state = pool(batch: 2)
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        submit(trade(2, 1, 3), trade(3, 4, 5), to: &state)
        _ = state.complete(first.slots, of: 0)
        submit(trade(4, 1, 9), to: &state)
        #expect(state.lanes[0].waiting == 3)
    }

    @Test func `a self-trade is one account`() {
        var state = pool()
        let batch = submit(trade(1, 1, 1), to: &state).starts[0]
        #expect(state.accounts.count == 1)
        _ = state.complete(batch.slots, of: 0)
        #expect(state.accounts.count == 0)
    }

    @Test func `refused messages have no account and hold nobody up`() {
        var state = pool()
        let batch = submit(refused(1), to: &state).starts[0]
        #expect(state.accounts.count == 0)
        submit(refused(2), trade(3, 1, 2), to: &state)
        _ = state.complete(batch.slots, of: 0)
        #expect(state.ready(0).started == [0: [2, 3]])
    }

    @Test func `accounts of equal letters and different bytes are two`() throws {
        var table = AccountTable()
        let composed = try #require(Identifier("\u{e9}"))
        let decomposed = try #require(Identifier("e\u{301}"))
        #expect(table.number(of: composed) != table.number(of: decomposed))
    }

    @Test func `the table of accounts finds everyone through growth and removal`() {
        var table = AccountTable()
        var numbers: [Int: AccountTable.Number] = [:]
        var generator = SystemRandomNumberGenerator()
        for step in 0..<20_000 {
            let customer = Int.random(in: 0..<700, using: &generator)
            if step % 3 == 2, let number = numbers.removeValue(forKey: customer) {
                table.remove(number)
            } else {
                let number = table.number(of: account(customer))
                #expect(numbers[customer] == nil || numbers[customer] == number)
                numbers[customer] = number
            }
            #expect(table.count == numbers.count)
        }
        for (customer, number) in numbers { #expect(table.number(of: account(customer)) == number) }
    }

    // MARK: Room

    @Test func `waiting items count against the capacity, those in flight do not`() throws {
        var state = pool(capacity: 2, lanes: 1)
        _ = try state.trySubmit(trade(1, 1, 2), at: .zero)
        _ = try state.trySubmit(trade(2, 1, 2), at: .zero)
        _ = try state.trySubmit(trade(3, 1, 2), at: .zero)
        #expect(throws: PoolError.full) { try state.trySubmit(trade(4, 1, 2), at: .zero) }
    }

    @Test func `of many the first are taken as far as there is room, and none before those who wait`() throws {
        var state = pool(capacity: 2, lanes: 1, batch: 2, ready: false)
        #expect(try state.submitWhatFits(strangers(1..<6)[...], at: .zero).0 == 2)
        #expect(try state.submitWhatFits(strangers(6..<7)[...], at: .zero).0 == 0)
        #expect(state.submit(strangers(7..<9), ticket: 1, at: .zero).0 == .waiting)
        #expect(state.ready(0).started == [0: [1, 2]])
        #expect(try state.submitWhatFits(strangers(9..<10)[...], at: .zero).0 == 0)
        _ = state.stop()
        #expect(state.removeLeftovers().map(\.number) == [7, 8])
        #expect(throws: PoolError.closed(taken: 0)) { try state.submitWhatFits(strangers(1..<2)[...], at: .zero) }

        var working = pool(capacity: 2, lanes: 1, batch: 1)
        let (taken, action) = try working.submitWhatFits(strangers(1..<6)[...], at: .zero)
        #expect(taken == 3)
        #expect(action.started == [0: [1]])
    }

    @Test func `submitters wait in line, and each learns when its last item is in`() {
        var state = pool(capacity: 2, lanes: 1, batch: 2, ready: false)
        #expect(state.submit(strangers(1..<4), ticket: 1, at: .zero).0 == .waiting)
        #expect(state.submit(strangers(4..<6), ticket: 2, at: .zero).0 == .waiting)
        #expect(throws: PoolError.full) { try state.trySubmit(trade(9, 90, 91), at: .zero) }

        let first = state.ready(0)
        #expect(first.started == [0: [1, 2]])
        #expect(first.answers.map(\.ticket) == [1])
        _ = state.complete(first.starts[0].slots, of: 0)
        let second = state.ready(0)
        #expect(second.started == [0: [3, 4]])
        #expect(second.answers.map(\.ticket) == [2])
    }

    @Test func `a submitter that leaves takes its place with it, not what was taken`() {
        var state = pool(capacity: 2, lanes: 1, batch: 2, ready: false)
        _ = state.submit(strangers(1..<4), ticket: 1, at: .zero)
        _ = state.submit(strangers(4..<6), ticket: 2, at: .zero)
        #expect(state.withdraw(1) == .refused(.cancelled(taken: 2)))
        #expect(state.withdraw(1) == nil)
        let first = state.ready(0)
        #expect(first.started == [0: [1, 2]])
        #expect(first.answers.map(\.ticket) == [2])
    }

    // MARK: Ending

    @Test
    func `trap 30: after close, submits are refused, those waiting are told how much was taken, and the rest drains`() {
        var state = pool(capacity: 2, lanes: 1, batch: 2, ready: false)
        _ = state.submit(strangers(1..<4), ticket: 1, at: .zero)
        let closing = state.close()
        #expect(closing.answers.map(\.answer) == [.refused(.closed(taken: 2))])
        #expect(throws: PoolError.closed(taken: 0)) { try state.trySubmit(trade(9, 90, 91), at: .zero) }
        #expect(state.submit(strangers(5..<6), ticket: 2, at: .zero).0 == .refused(.closed(taken: 0)))

        let batch = state.ready(0).starts[0]
        #expect(batch.numbers == [1, 2])
        _ = state.complete(batch.slots, of: 0)
        #expect(state.ready(0).dismissed == [0])
        #expect(state.isIdle)
    }

    @Test func `workers go home when the last batch has ended, not before`() {
        var state = pool()
        let batch = submit(trade(1, 1, 2), to: &state).starts[0]
        #expect(state.close().dismissed.isEmpty)
        #expect(state.complete(batch.slots, of: 0).dismissed == [1])
        #expect(state.ready(0).dismissed == [0])
    }

    @Test func `trap 31: stopping returns what waited, was set aside or is given back, in order of arrival`() {
        var state = pool(batch: 2)
        let first = submit(trade(1, 1, 2), trade(2, 3, 4), to: &state).starts[0]
        submit(trade(3, 5, 6), trade(4, 7, 8), to: &state)
        let second = submit(trade(5, 9, 10), to: &state).starts[0]
        submit(trade(6, 1, 9), to: &state)
        #expect(state.blockedCount == 1)

        _ = state.stop()
        _ = state.stall(0, givingBack: first)
        _ = state.complete(second.slots, of: 1)
        #expect(state.removeLeftovers().map(\.number) == [1, 2, 3, 4, 6].filter { !second.numbers.contains($0) })
        #expect(state.isIdle)
        #expect(state.accounts.count == 0)
    }

    // MARK: Pauses

    @Test func `a worker that pauses keeps only what it must: the others' trades go to another lane`() {
        var state = pool()
        let first = submit(trade(1, 1, 2), to: &state).starts[0]
        submit(trade(2, 3, 4), trade(3, 1, 5), trade(4, 5, 6), to: &state)
        let action = state.stall(0, givingBack: first.part(1..<1))
        #expect(action.started == [1: [2]])
        #expect(state.lanes[0].waiting == 2)

        // New strangers avoid the lane that pauses.
        submit(trade(5, 7, 8), to: &state)
        #expect(state.lanes.map(\.waiting) == [2, 1])
    }

    @Test func `what a failed batch gives back is settled elsewhere, behind whoever it must follow`() {
        var state = pool(ready: false)
        submit(trade(1, 1, 2), trade(2, 1, 3), trade(3, 4, 5), to: &state)
        submit(trade(4, 6, 7), to: &state)
        let batch = state.ready(0).starts[0]
        _ = state.ready(1)
        let action = state.stall(0, givingBack: batch.part(1..<4))
        #expect(action.started == [1: [3, 4]])
        #expect(state.lanes[0].waiting == 1)
        _ = state.complete(batch.slots[..<1], of: 0)
        #expect(state.ready(0).started == [0: [2]])
    }
}
