/// Workers that do not meet: an account with anything queued or in flight belongs to one lane.
extension PoolState {
    /// Puts a waiting item into its lane, or sets it aside until its accounts are in one.
    ///
    /// Behind an item that is set aside every later one of the same accounts is too: nothing overtakes.
    mutating func route(_ number: SlotNumber) {
        let first = slots[Int(number)].first
        let second = slots[Int(number)].second
        guard first >= 0 else {
            enqueue(number, in: laneForAnybody())
            return
        }
        if accounts[first].firstBlocked < 0, second < 0 || accounts[second].firstBlocked < 0,
            let lane = laneFor(first, second)
        {
            enqueue(number, in: lane)
        } else {
            block(number)
        }
    }

    /// The lane that both accounts can be in; nil when two lanes have one each.
    private func laneFor(_ first: AccountTable.Number, _ second: AccountTable.Number) -> Int? {
        let firstLane = accounts[first].lane
        let secondLane = second < 0 ? firstLane : accounts[second].lane
        if firstLane < 0 { return secondLane < 0 ? laneForAnybody() : Int(secondLane) }
        return secondLane < 0 || secondLane == firstLane ? Int(firstLane) : nil
    }

    /// The least full of the lanes awake that lack a full batch. Another is woken when none does, or when they are all
    /// at work and a connection is not; but not while items are set aside, since more lanes would set more aside.
    private func laneForAnybody() -> Int {
        var best = -1
        var bestWaiting = fullBatchSize
        var asleep = -1
        var busyCount = 0
        var areAllBusy = true
        for index in lanes.indices where !lanes[index].isStalled {
            guard lanes[index].isAwake else {
                if asleep < 0 { asleep = index }
                continue
            }
            if lanes[index].busyCount > 0 { busyCount += 1 } else { areAllBusy = false }
            if lanes[index].waiting < bestWaiting {
                best = index
                bestWaiting = lanes[index].waiting
            }
        }
        let isConnectionIdle = areAllBusy && busyCount < connectionCount && blockedCount == 0
        if asleep >= 0, best < 0 || isConnectionIdle { return asleep }
        if best >= 0 { return best }
        return lanes.indices.min { left, right in
            (lanes[left].isStalled ? 1 : 0, lanes[left].waiting) < (
                lanes[right].isStalled ? 1 : 0, lanes[right].waiting
            )
        }!
    }

    private mutating func enqueue(_ number: SlotNumber, in lane: Int) {
        let index = Int(number)
        hold(slots[index].first, in: lane)
        hold(slots[index].second, in: lane)
        slots[index].place = .waiting
        slots[index].next = Self.none
        if lanes[lane].tail < 0 {
            lanes[lane].head = number
        } else {
            slots[Int(lanes[lane].tail)].next = number
        }
        lanes[lane].tail = number
        lanes[lane].waiting += 1
    }

    private mutating func hold(_ account: AccountTable.Number, in lane: Int) {
        guard account >= 0 else { return }
        accounts[account].lane = Int32(lane)
        accounts[account].held += 1
    }

    /// Lets go of an item's accounts; those that nothing else of their lane holds are noted as released.
    mutating func release(_ number: SlotNumber) {
        release(account: slots[Int(number)].first)
        release(account: slots[Int(number)].second)
    }

    private mutating func release(account: AccountTable.Number) {
        guard account >= 0 else { return }
        accounts[account].held -= 1
        if accounts[account].held == 0 {
            accounts[account].lane = Self.none
            released.append(account)
        }
    }

    // MARK: Set aside

    private mutating func block(_ number: SlotNumber) {
        slots[Int(number)].place = .blocked
        appendBlocked(number, to: slots[Int(number)].first)
        appendBlocked(number, to: slots[Int(number)].second)
        blockedCount += 1
    }

    private mutating func appendBlocked(_ number: SlotNumber, to account: AccountTable.Number) {
        guard account >= 0 else { return }
        setNext(Self.none, after: number, of: account)
        let last = accounts[account].lastBlocked
        if last < 0 {
            accounts[account].firstBlocked = number
        } else {
            setNext(number, after: last, of: account)
        }
        accounts[account].lastBlocked = number
    }

    private mutating func setNext(_ next: SlotNumber, after number: SlotNumber, of account: AccountTable.Number) {
        if slots[Int(number)].first == account {
            slots[Int(number)].next = next
        } else {
            slots[Int(number)].nextOfSecond = next
        }
    }

    private mutating func removeFirstBlocked(of account: AccountTable.Number) {
        guard account >= 0 else { return }
        let index = Int(accounts[account].firstBlocked)
        let next = slots[index].first == account ? slots[index].next : slots[index].nextOfSecond
        accounts[account].firstBlocked = next
        if next < 0 { accounts[account].lastBlocked = Self.none }
    }

    /// Empties the lists that an item is in, which are all built anew.
    mutating func forgetBlocked(_ number: SlotNumber) {
        for account in [slots[Int(number)].first, slots[Int(number)].second] where account >= 0 {
            accounts[account].firstBlocked = Self.none
            accounts[account].lastBlocked = Self.none
            if accounts[account].held == 0 { released.append(account) }
        }
    }

    /// Looks again at what waited for the released accounts.
    ///
    /// An item can go when it is the oldest of each of its accounts and no two lanes have them. Either becomes true
    /// only by a release or by an older item going, so only the first in line is looked at, and only then.
    mutating func unblock() {
        var index = 0
        let releasedCount = released.count
        while index < released.count {
            let account = released[index]
            index += 1
            let number = accounts[account].firstBlocked
            guard number >= 0 else { continue }
            let first = slots[Int(number)].first
            let second = slots[Int(number)].second
            guard accounts[first].firstBlocked == number, second < 0 || accounts[second].firstBlocked == number,
                let lane = laneFor(first, second)
            else { continue }
            removeFirstBlocked(of: first)
            removeFirstBlocked(of: second)
            blockedCount -= 1
            enqueue(number, in: lane)
            released.append(first)
            if second >= 0 { released.append(second) }
        }
        // Each is in the first part once, and whoever was added behind has something in a lane now.
        for account in released[..<releasedCount] where accounts[account].isUnused { accounts.remove(account) }
        released.removeAll(keepingCapacity: true)
    }

    /// Drops the released accounts that nothing refers to any more.
    mutating func forgetReleased() {
        var seen: Set<AccountTable.Number> = []
        for account in released where accounts[account].isUnused && seen.insert(account).inserted {
            accounts.remove(account)
        }
        released.removeAll(keepingCapacity: true)
    }
}
