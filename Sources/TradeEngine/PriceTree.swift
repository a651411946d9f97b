/// The prices of one side of a book at which somebody waits, as a tree of 64-way nodes over their ticks.
///
/// A node is 64 bits that say which of its parts hold anything, and where those are. The lowest, the highest and the
/// next price are found by counting zeros on a path whose length follows from the market's price range alone, never
/// from how many prices or orders there are.
struct PriceTree: ~Copyable {
    private var bits: UnsafeMutablePointer<UInt64>
    private var children: UnsafeMutablePointer<Int32>
    private var free: [Int32] = []
    private var capacity = 64
    private var nodeCount = 1
    private let topShift: UInt64

    /// - Parameter tickMax: the highest tick that is ever inserted.
    init(tickMax: Int64) {
        let bitCount = max(1, 64 - tickMax.leadingZeroBitCount)
        topShift = UInt64((bitCount - 1) / 6 * 6)
        bits = .allocate(capacity: capacity)
        children = .allocate(capacity: capacity * 64)
        bits.initialize(repeating: 0, count: capacity)
        children.initialize(repeating: 0, count: capacity * 64)
        free.reserveCapacity(capacity)
    }

    deinit {
        bits.deallocate()
        children.deallocate()
    }

    var isEmpty: Bool { bits[0] == 0 }

    private func slot(_ node: Int32, _ part: UInt64) -> Int { Int(node) << 6 | Int(truncatingIfNeeded: part & 63) }
    private func has(_ node: Int32, _ part: UInt64) -> Bool { bits[Int(node)] &>> (part & 63) & 1 != 0 }

    /// What stands at a tick; nil where nothing does.
    @inline(__always) func find(_ tick: Int64) -> Int32? {
        let tick = UInt64(bitPattern: tick)
        var node: Int32 = 0
        var shift = topShift
        while true {
            let part = tick &>> shift
            guard has(node, part) else { return nil }
            node = children[slot(node, part)]
            if shift == 0 { return node }
            shift &-= 6
        }
    }

    /// What stands at a tick; where nothing does, what is made is put there.
    ///
    /// - Parameter make: gets the node in which it will stand, for taking it away.
    @inline(__always) mutating func value(at tick: Int64, orPut make: (_ node: Int32) -> Int32) -> Int32 {
        let tick = UInt64(bitPattern: tick)
        var node: Int32 = 0
        var shift = topShift
        while shift > 0 {
            let part = tick &>> shift
            node = has(node, part) ? children[slot(node, part)] : addNode(to: node, part)
            shift &-= 6
        }
        if has(node, tick) { return children[slot(node, tick)] }
        let value = make(node)
        bits[Int(node)] |= 1 &<< (tick & 63)
        children[slot(node, tick)] = value
        return value
    }

    @inline(never) private mutating func addNode(to node: Int32, _ part: UInt64) -> Int32 {
        let new = newNode()
        bits[Int(node)] |= 1 &<< (part & 63)
        children[slot(node, part)] = new
        return new
    }

    /// Takes away what stands at a tick, and the nodes that are empty by it.
    ///
    /// - Parameter node: the one in which it stands.
    @inline(__always) mutating func remove(_ tick: Int64, from node: Int32) {
        let tick = UInt64(bitPattern: tick)
        bits[Int(node)] &= ~(1 &<< (tick & 63))
        if bits[Int(node)] == 0 { removeNodes(to: tick, from: 0, topShift) }
    }

    @inline(never) private mutating func removeNodes(to tick: UInt64, from node: Int32, _ shift: UInt64) {
        guard shift > 0 else { return }
        let part = tick >> shift
        let child = children[slot(node, part)]
        removeNodes(to: tick, from: child, shift - 6)
        guard bits[Int(child)] == 0 else { return }
        free.append(child)
        bits[Int(node)] &= ~(1 << (part & 63))
    }

    /// The value at the lowest tick.
    var lowest: Int32? {
        isEmpty ? nil : lowest(below: 0, topShift)
    }

    var highest: Int32? {
        isEmpty ? nil : highest(below: 0, topShift)
    }

    private func lowest(below node: Int32, _ shift: UInt64) -> Int32 {
        var node = node
        var shift = shift
        while true {
            node = children[slot(node, UInt64(bits[Int(node)].trailingZeroBitCount))]
            if shift == 0 { return node }
            shift -= 6
        }
    }

    private func highest(below node: Int32, _ shift: UInt64) -> Int32 {
        var node = node
        var shift = shift
        while true {
            node = children[slot(node, UInt64(63 - bits[Int(node)].leadingZeroBitCount))]
            if shift == 0 { return node }
            shift -= 6
        }
    }

    /// The value at the lowest tick above one.
    func next(above tick: Int64) -> Int32? { next(above: UInt64(bitPattern: tick), in: 0, topShift) }

    /// The value at the highest tick below one.
    func next(below tick: Int64) -> Int32? { next(below: UInt64(bitPattern: tick), in: 0, topShift) }

    private func next(above tick: UInt64, in node: Int32, _ shift: UInt64) -> Int32? {
        let part = tick >> shift & 63
        if shift > 0, has(node, part), let found = next(above: tick, in: children[slot(node, part)], shift - 6) {
            return found
        }
        let above = part == 63 ? 0 : (bits[Int(node)] >> (part + 1)) << (part + 1)
        guard above != 0 else { return nil }
        let child = children[slot(node, UInt64(above.trailingZeroBitCount))]
        return shift == 0 ? child : lowest(below: child, shift - 6)
    }

    private func next(below tick: UInt64, in node: Int32, _ shift: UInt64) -> Int32? {
        let part = tick >> shift & 63
        if shift > 0, has(node, part), let found = next(below: tick, in: children[slot(node, part)], shift - 6) {
            return found
        }
        let below = bits[Int(node)] & (1 << part - 1)
        guard below != 0 else { return nil }
        let child = children[slot(node, UInt64(63 - below.leadingZeroBitCount))]
        return shift == 0 ? child : highest(below: child, shift - 6)
    }

    private mutating func newNode() -> Int32 {
        if let node = free.popLast() { return node }
        if nodeCount == capacity { grow() }
        nodeCount += 1
        return Int32(nodeCount - 1)
    }

    @inline(never) private mutating func grow() {
        let larger = capacity * 2
        let moreBits = UnsafeMutablePointer<UInt64>.allocate(capacity: larger)
        moreBits.initialize(repeating: 0, count: larger)
        moreBits.update(from: bits, count: capacity)
        let moreChildren = UnsafeMutablePointer<Int32>.allocate(capacity: larger * 64)
        moreChildren.initialize(repeating: 0, count: larger * 64)
        moreChildren.update(from: children, count: capacity * 64)
        bits.deallocate()
        children.deallocate()
        (bits, children, capacity) = (moreBits, moreChildren, larger)
        free.reserveCapacity(larger)
    }
}
