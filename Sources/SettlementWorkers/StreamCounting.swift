import Repository
import ServiceKit
import TradeModel

/// Counts the numbers that trades of other engines carry, of all processes on a database one at a time, and says in the
/// log what is missing.
///
/// What was settled or parked is counted once its batch is decided, so a trade that is only late in its turn is missing
/// for a moment.
struct StreamCounting: BesideDuty {
    let name = "counting of streams"
    /// So many batches are counted in one transaction.
    private let batchCountMax: Int
    /// A stream with more gaps is none: its numbers mean something else.
    private let gapCountMax: Int
    /// What is missing for so long is told; a trade may overtake others by much less.
    private let patienceSeconds: Int64
    private static let interval = Duration.seconds(1)
    private static let horizonPatience = Duration.seconds(1)

    private var nextRound = ContinuousClock.now
    /// Up to here nothing is left to count, as far as this process knows.
    private var counted: BatchNumber?

    init(batchCountMax: Int = 2_000, gapCountMax: Int = 10_000, patienceSeconds: Int64 = 10) {
        self.batchCountMax = batchCountMax
        self.gapCountMax = gapCountMax
        self.patienceSeconds = patienceSeconds
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool {
        guard ContinuousClock.now >= nextRound else { return false }
        nextRound = .now + Self.interval
        let horizon = try BatchHorizon(on: connection)
        if horizon.newest != counted {
            guard try horizon.wait(on: connection, patience: Self.horizonPatience) else { return false }
            // One stretch each time: what is behind is caught up with, and nothing waits long for it.
            if try IndexesByBatch.areBuilt(on: connection) {
                let end = try connection.transaction { () throws(DatabaseError) in
                    try count(upTo: horizon.newest, on: connection, log: log)
                }
                guard let end else { return false }
                counted = end
                if end < horizon.newest { nextRound = .now }
            }
        }
        for gap in try TradeStreamStore.gapsToTell(afterSeconds: patienceSeconds, on: connection) {
            log.warning(
                "trades of a stream are missing",
                [
                    "stream": gap.stream.text, "first": "\(gap.numbers.lowerBound)",
                    "last": "\(gap.numbers.upperBound)", "next": "settle feed gaps",
                ])
        }
        return false
    }

    /// Counts the next batches and returns the last of them; nil while another process does.
    private func count(
        upTo newest: BatchNumber, on connection: PostgresConnection, log: Log
    ) throws(DatabaseError) -> BatchNumber? {
        guard let (counted, now) = try TradeStreamStore.claim(on: connection) else { return nil }
        guard counted < newest else { return newest }
        let end = try TradeStreamStore.end(
            after: counted, upTo: newest, batchCountMax: batchCountMax, on: connection)
        let runs = try TradeStreamStore.runs(after: counted, upTo: end, on: connection)
        for (stream, runs) in Dictionary(grouping: runs, by: \.stream) {
            try add(runs, to: stream, at: now, on: connection, log: log)
        }
        try TradeStreamStore.note(countedUpTo: end, on: connection)
        return end
    }

    private func add(
        _ runs: [SequenceRun], to stream: Identifier, at now: Timestamp, on connection: PostgresConnection, log: Log
    ) throws(DatabaseError) {
        let standing = try TradeStreamStore.standing(of: stream, on: connection)
        var tally = SequenceTally(newest: standing.newest, gaps: standing.gaps)
        let before = tally.gaps
        for run in runs { tally.add(run.numbers, at: now) }
        let isSequence = tally.gaps.count <= gapCountMax
        let after = isSequence ? tally.gaps : []
        let (old, new) = (Set(before), Set(after))
        let reason = isSequence ? nil : "it has more than \(gapCountMax) gaps, so its numbers are no sequence"
        try TradeStreamStore.advance(
            stream, to: tally.newest, closing: before.filter { !new.contains($0) }.map(\.numbers.lowerBound),
            opening: after.filter { !old.contains($0) }, uncountedFor: reason,
            on: connection)
        if let reason {
            log.warning("a stream is not counted any more", ["stream": stream.text, "reason": reason])
        }
    }
}
