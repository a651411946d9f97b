import ServiceKit
import Testing
import TradeModel

@testable import SettlementWorkers

/// Random calls in random order; after each, what must always hold of the state.
@Suite struct PoolStateSimulationTests {
    @Test(arguments: 0..<UInt64(10))
    func `accounts are in one lane at most, order is kept, and nothing is lost`(round: UInt64) {
        for seed in round * 200..<(round + 1) * 200 {
            if let problem = run(seed: seed) {
                Issue.record("seed \(seed): \(problem)")
                return
            }
        }
    }

    private func run(seed: UInt64) -> String? {
        var generator = SeededGenerator(seed: seed)
        func some(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        let capacity = some(1...30)
        let laneCount = some(1...4)
        let batchSizeMax = some(1...10)
        let customers = [2, 5, 20, 100][some(0...3)]
        let batchBytesMax = some(1...40)
        let handCount = some(1...2)
        let connectionCount = some(0...2) == 0 ? some(1...laneCount) : laneCount
        var state = PoolState(
            capacity: capacity, laneCount: laneCount, batchSizeMax: batchSizeMax, connectionCount: connectionCount,
            queueBytesMax: some(5...200), batchBytesMax: batchBytesMax)

        // Of each lane, the earlier first.
        var batches: [Int: [PoolState.Batch]] = [:]
        var stumbling: Set<Int> = []
        var stalled: Set<Int> = []
        var submitted = 0
        var admittedOf: [PoolState.Ticket: Int] = [:]
        var waitingTickets: [PoolState.Ticket: Int] = [:]
        var ended: [Int] = []
        var lastOf: [Identifier: Int] = [:]
        var expected = 0
        var problem: String?

        func note(_ action: PoolState.Action) {
            for batch in action.starts {
                let earlier = batches[batch.lane, default: []].count
                if earlier > 0, stumbling.contains(batch.lane) { problem = "a follower of a batch that failed" }
                if earlier >= handCount || batch.items.isEmpty || batch.items.count > batchSizeMax
                    || batch.items.count > 1 && batch.items.reduce(0, { $0 + $1.payload.count }) > batchBytesMax
                {
                    problem = "bad batch"
                }
                batches[batch.lane, default: []].append(batch)
                let begun = batches.filter { !state.lanes[$0.key].isStalled }.values.joined().count
                if begun > connectionCount + 1 { problem = "more than may be begun" }
            }
            for (ticket, answer) in action.answers {
                guard let count = waitingTickets.removeValue(forKey: ticket) else {
                    problem = "answered twice"
                    continue
                }
                switch answer {
                case .taken: expected += count
                case .refused(.closed(let taken)): expected += taken
                default: problem = "odd answer"
                }
            }
        }

        func makeItem() -> SettlementItem {
            submitted += 1
            let customer = some(0...1) == 0 ? 0 : some(0...customers - 1)
            return some(0...9) == 0
                ? refused(submitted) : trade(submitted, customer, some(0...customers - 1), bytes: some(0...9))
        }

        func finish(_ count: Int, of lane: Int) {
            guard let batch = batches[lane]?.first else { return }
            for item in batch.items[..<count] {
                ended.append(item.number)
                for account in [item.accounts.first, item.accounts.second].compactMap(\.self) {
                    if lastOf[account, default: 0] >= item.number { problem = "\(account): \(item.number) overtaken" }
                    lastOf[account] = item.number
                }
            }
            // What is left of the batch is known before the state may start another.
            let slots = batch.slots[..<count]
            batches[lane]![0] = batch.part(count..<batch.items.count)
            note(state.complete(slots, of: lane))
            if count == batch.items.count { handIsFree(0, of: lane) }
        }

        func handIsFree(_ place: Int, of lane: Int) {
            batches[lane]!.remove(at: place)
            if batches[lane]!.isEmpty {
                batches[lane] = nil
                stalled.remove(lane)
                stumbling.remove(lane)
            }
            note(state.ready(lane))
        }

        /// The one behind a batch that failed.
        func giveBackFollower(of lane: Int) {
            guard batches[lane]!.count > 1 else { return }
            let follower = batches[lane]![1]
            batches[lane]![1] = follower.part(0..<0)
            note(state.giveBack(follower))
            handIsFree(1, of: lane)
        }

        var handsMissing: [Int] = []
        for lane in 0..<laneCount {
            for _ in 0..<handCount {
                if some(0...3) > 0 { note(state.ready(lane, isFirst: true)) } else { handsMissing.append(lane) }
            }
        }
        var ticket: PoolState.Ticket = 0
        for _ in 0..<some(10...200) {
            let depthBefore = state.waitingCount
            switch some(0...9) {
            case 0...3:
                ticket += 1
                let items = (0..<some(1...6)).map { _ in makeItem() }
                waitingTickets[ticket] = items.count
                let (answer, action) = state.submit(items, ticket: ticket, at: .zero)
                if answer == .taken {
                    expected += items.count
                    waitingTickets[ticket] = nil
                }
                note(action)
            case 4:
                if Bool.random(using: &generator) {
                    let items = (0..<some(1...4)).map { _ in makeItem() }
                    if let (taken, action) = try? state.submitWhatFits(items[...], at: .zero) {
                        expected += taken
                        note(action)
                    }
                } else if let action = try? state.trySubmit(makeItem(), at: .zero) {
                    expected += 1
                    note(action)
                }
            case 5:
                if let victim = waitingTickets.keys.sorted().randomElement(using: &generator) {
                    guard case .refused(.cancelled(let taken)) = state.withdraw(victim) else { return "not waiting" }
                    expected += taken
                    waitingTickets[victim] = nil
                    admittedOf[victim] = taken
                }
            case 6:
                if let lane = batches.keys.sorted().randomElement(using: &generator) {
                    let batch = batches[lane]![0]
                    let inFlightBefore = state.lanes[lane].inFlight
                    let kept = some(1...batch.items.count)
                    batches[lane]![0] = batch.part(0..<kept)
                    stalled.insert(lane)
                    stumbling.insert(lane)
                    state.stumble(lane)
                    let isFollowerFirst = some(0...1) == 0
                    if isFollowerFirst { giveBackFollower(of: lane) }
                    note(state.stall(lane, givingBack: batch.part(kept..<batch.items.count)))
                    if !isFollowerFirst { giveBackFollower(of: lane) }
                    if some(0...1) == 0 { state.resume(lane) }
                    // A large message that starts makes room for several small ones, but not for more than fit.
                    let depthMax = max(capacity, depthBefore + inFlightBefore - kept)
                    if state.waitingCount > depthMax { problem = "too much came back" }
                }
            default:
                if let lane = batches.keys.sorted().randomElement(using: &generator) {
                    finish(some(0...batches[lane]![0].items.count), of: lane)
                }
            }
            if state.waitingCount > max(capacity, depthBefore), state.lanes.allSatisfy({ !$0.isStalled }),
                stalled.isEmpty
            {
                problem = "more than fits"
            }
            if let problem = problem ?? audit(state, batches) { return problem }
        }

        for lane in handsMissing { note(state.ready(lane, isFirst: true)) }
        var patience = 10_000
        while let lane = batches.keys.sorted().randomElement(using: &generator) {
            finish(some(1...batches[lane]![0].items.count), of: lane)
            if let problem = problem ?? audit(state, batches) { return problem }
            patience -= 1
            if patience == 0 { return "no end" }
        }
        if !state.isIdle { return "\(state.waitingCount) wait for nobody" }
        if !waitingTickets.isEmpty { return "a submitter waits for nobody" }
        if ended.count != expected || Set(ended).count != expected { return "\(ended.count) of \(expected) ended" }
        if state.accounts.count != 0 { return "accounts were left behind" }
        return state.close().dismissed.count == laneCount * handCount ? nil : "somebody did not go home"
    }

    private func audit(_ state: PoolState, _ batches: [Int: [PoolState.Batch]]) -> String? {
        var laneOf: [AccountTable.Number: Int] = [:]
        var waiting = 0
        func claim(_ number: PoolState.SlotNumber, _ lane: Int) -> String? {
            let slot = state.slots[Int(number)]
            for account in [slot.first, slot.second] where account >= 0 {
                if laneOf.updateValue(lane, forKey: account) ?? lane != lane { return "an account in two lanes" }
                if state.accounts[account].lane != Int32(lane) { return "an account is not where it says" }
            }
            return nil
        }
        for index in state.lanes.indices {
            var number = state.lanes[index].head
            var count = 0
            while number >= 0 {
                if let problem = claim(number, index) { return problem }
                count += 1
                number = state.slots[Int(number)].next
            }
            if count != state.lanes[index].waiting { return "a lane counts wrong" }
            waiting += count
            let inFlight = batches[index, default: []].flatMap(\.slots)
            for number in inFlight {
                if let problem = claim(number, index) { return problem }
            }
            if inFlight.count != state.lanes[index].inFlight { return "in flight counts wrong" }
        }
        if waiting + state.blockedCount != state.waitingCount { return "the waiting are counted wrong" }
        if state.slots.count(where: { $0.place == .blocked }) != state.blockedCount { return "set aside counts wrong" }
        return nil
    }
}
