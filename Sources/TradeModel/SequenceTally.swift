/// Which numbers of a sequence have come: all up to the newest but those in gaps.
///
/// Numbers come in any order, and more than once.
public struct SequenceTally: Hashable, Sendable {
    /// 0 before the first.
    public private(set) var newest: Int64
    /// In order, none beside another but where they were found at different times.
    public private(set) var gaps: [SequenceGap]

    public init(newest: Int64 = 0, gaps: [SequenceGap] = []) {
        self.newest = newest
        self.gaps = gaps
    }

    /// Numbers from 1 on have come.
    public mutating func add(_ run: ClosedRange<Int64>, at time: Timestamp) {
        precondition(run.lowerBound > 0, "the first number is 1")
        if run.lowerBound <= newest { close(run) }
        guard run.upperBound > newest else { return }
        if run.lowerBound > newest + 1 {
            gaps.append(SequenceGap(numbers: newest + 1...run.lowerBound - 1, foundAt: time))
        }
        newest = run.upperBound
    }

    /// Takes numbers out of the gaps that they lie in.
    private mutating func close(_ run: ClosedRange<Int64>) {
        var index = gaps.partitioningIndex { $0.numbers.upperBound >= run.lowerBound }
        while index < gaps.count, gaps[index].numbers.lowerBound <= run.upperBound {
            let gap = gaps[index]
            var rest: [SequenceGap] = []
            if gap.numbers.lowerBound < run.lowerBound {
                rest.append(gap.part(gap.numbers.lowerBound...run.lowerBound - 1))
            }
            if gap.numbers.upperBound > run.upperBound {
                rest.append(gap.part(run.upperBound + 1...gap.numbers.upperBound))
            }
            gaps.replaceSubrange(index...index, with: rest)
            index += rest.count
        }
    }
}

extension Array {
    /// The first index whose element and all behind it are so; those before are not.
    fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
