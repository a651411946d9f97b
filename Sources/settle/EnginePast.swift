import CommandKit
import EngineHost
import Repository
import SettlementWorkers
import TradeFeed
import TradeModel

/// What an engine has done between a record and the one that its balances are of, read from its feed.
struct EnginePast {
    let feed: FeedReading
    /// The record that is asked about.
    let sequence: Int64
    /// The engine's balances.
    let copy: EngineAnswer.Balances

    struct Result {
        /// The hash at the record.
        var hash: UInt64
        var changes = EngineChanges()
        /// The first batch that has settled any of it; nil where none has.
        var firstBatch: BatchNumber?
    }

    /// Reads each record behind the one that is asked about, and holds the feed to the hashes of the engine and of the
    /// books.
    ///
    /// - Parameter keep: called with each page, so that the engine's copy does not go meanwhile.
    func read(_ ledger: LedgerAtRecord, keep: () async throws -> Void) async throws -> Result {
        let decimals = try BalanceComparison.decimals(copy)
        var result: Result?
        do {
            try await feed.read(from: sequence + 1, upTo: copy.sequence) { before, records in
                var past = result ?? Result(hash: before.hash)
                try check(ledger, before.sequence, before.hash)
                for record in records {
                    do { try past.changes.add(record.output, decimals: decimals) } catch {
                        throw CommandFailure(
                            "record \(record.sequence) of the feed moves what the engine does not have")
                    }
                    try check(ledger, record.sequence, record.hash)
                }
                let first = try ledger.firstBatch(of: records.flatMap { $0.output.items(of: feed.stream) })
                past.firstBatch = [past.firstBatch, first].compactMap(\.self).min()
                result = past
                try await keep()
            }
        } catch FeedFailure.notKept(_, let oldest) {
            throw CommandFailure(
                "what the engine had at record \(sequence) cannot be told any more: the oldest record that its feed "
                    + "keeps is \(oldest). '--as-of' may be \(oldest - 1) or later")
        } catch let failure as FeedFailure {
            throw CommandFailure(failure.description.printable)
        }
        guard let result else { throw CommandFailure("the feed was left before it came to record \(copy.sequence)") }
        return result
    }

    private func check(_ ledger: LedgerAtRecord, _ sequence: Int64, _ hash: UInt64) throws {
        let here = hash.hexadecimal
        if sequence == copy.sequence, here != copy.hash {
            throw CommandFailure(
                "the hash at record \(sequence) is \(copy.hash.printable) in the engine and \(here) in the feed at "
                    + "\(feed.feed.text.printable): it is another engine's. '--feed' says where it publishes")
        }
        guard sequence == ledger.state.watermark, let booked = ledger.state.hash?.hexadecimal, booked != here else {
            return
        }
        throw CommandFailure(
            "the hash at record \(sequence) is \(booked) in the books and \(here) in the feed: its engine is not the "
                + "one whose output was settled")
    }
}
