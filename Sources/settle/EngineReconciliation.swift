import CommandKit
import EngineHost
import Repository
import TradeFeed
import TradeModel

/// Asks an engine what everybody has, and compares it with the books as they were at the same record.
struct EngineReconciliation {
    let engine: Endpoint
    let stream: Identifier
    /// How long the books may take to come to the record.
    let patience: Duration
    let connection: PostgresConnection

    /// The record at which both are compared, and where the engine's feed is; nil for the engine's newest.
    var past: (sequence: Int64, feed: Endpoint)?

    struct Result {
        var comparison: BalanceComparison
        /// The hash at the record, as the engine has it.
        let hash: String
        /// How many records up to there the books never saw.
        let skippedCount: Int64
        /// The engine's newest record then.
        let engineSequence: Int64
    }

    /// - Parameters:
    ///   - chosen: the accounts that are compared; nil for all that either side knows by this stream.
    ///   - comparesHouse: whether what the exchange earned is compared, too.
    func compare(
        of chosen: Set<Identifier>? = nil, comparesHouse: Bool, progress: (Int) -> Void = { _ in }
    ) async throws -> Result {
        let startedAt = Timestamp.now
        // In this order: what the engine does behind the record comes in later batches than this.
        let batch = try BatchHorizon.newest(on: connection)
        let before = try FeedStateStore.known(stream, connection)
        let access = try EngineAccess(engine)
        let first = try await page(access, nil)
        if before.watermark >= first.sequence { try check(before, first) }
        let sequence = past?.sequence ?? first.sequence
        guard sequence <= first.sequence else {
            throw CommandFailure(
                "stream '\(stream.text.printable)' has no record \(sequence) yet: the engine is at \(first.sequence)",
                exit: .notFound)
        }
        try await wait(until: sequence, first, access)
        guard var ledger = try LedgerAtRecord.open(connection, stream, at: sequence) else {
            throw CommandFailure("the watermark of stream '\(stream.text.printable)' has gone back; try again")
        }
        defer { ledger.close() }
        if ledger.state.watermark == first.sequence { try check(ledger.state, first) }
        let done = try await readPast(sequence, first, ledger, access)
        try ledger.takeOff(since: min(batch, done?.firstBatch ?? batch))
        var comparison = BalanceComparison(
            BalanceReconciliation(
                stream: stream, sequence: sequence, watermark: ledger.state.watermark, startedAt: startedAt),
            of: chosen, without: done?.changes ?? EngineChanges())
        if comparesHouse { try comparison.compareHouse(first, ledger) }
        var page = first
        while true {
            try comparison.compare(page, ledger)
            progress(Int(comparison.found.accountCount))
            guard page.next != nil else { break }
            page = try await self.page(access, page)
        }
        try comparison.checkLater()
        if chosen == nil { try comparison.compareUnknown(ledger) }
        try comparison.explain(ledger)
        let skipped = try connection.query(FeedGapStore.skippedCount(stream, upTo: sequence)).int64(0, 0)
        return Result(
            comparison: comparison, hash: done?.hash.hexadecimal ?? first.hash, skippedCount: skipped,
            engineSequence: first.sequence)
    }

    /// What the engine has done since the record; nil where it is the newest.
    private func readPast(
        _ sequence: Int64, _ copy: EngineAnswer.Balances, _ ledger: LedgerAtRecord, _ access: EngineAccess
    ) async throws -> EnginePast.Result? {
        guard let past, sequence < copy.sequence else { return nil }
        var keptAt = ContinuousClock.now
        return try await EnginePast(
            feed: FeedReading(feed: past.feed, stream: stream), sequence: sequence, copy: copy
        ).read(ledger) { try await keep(copy, &keptAt, access) }
    }

    /// The next balances of the engine's copy; the first ones make it.
    private func page(_ access: EngineAccess, _ before: EngineAnswer.Balances?) async throws -> EngineAnswer.Balances {
        let answer = try await access.ask(.balances(after: before))
        guard answer.stream == stream.text else {
            throw CommandFailure(
                "the output of the engine at \(engine.text.printable) is called '\(answer.stream.printable)', not "
                    + "'\(stream.text.printable)'; '--stream' says which is meant")
        }
        guard let page = answer.balances else {
            throw CommandFailure(
                "the engine has dropped its copy of the balances, since others wanted theirs or it was not read for "
                    + "too long; try again")
        }
        if let before {
            guard (page.sequence, page.hash, page.copy) == (before.sequence, before.hash, before.copy),
                page.next.map({ $0 > before.next ?? 0 }) ?? true
            else { throw CommandFailure("the engine was started anew meanwhile; try again") }
        }
        return page
    }

    /// That the engine is the one whose output was settled.
    private func check(_ state: FeedState, _ page: EngineAnswer.Balances) throws {
        guard state.watermark == page.sequence else {
            throw CommandFailure(
                "the books are at record \(state.watermark) and the engine at \(page.sequence): it has lost records, "
                    + "or is another one")
        }
        guard let hash = state.hash?.hexadecimal, hash != page.hash else { return }
        throw CommandFailure(
            "the hash at record \(page.sequence) is \(hash) in the books and \(page.hash.printable) in the engine: "
                + "it is not the one whose output was settled")
    }

    /// How often the books are looked at, and the engine's copy is kept from being dropped.
    private static let lookInterval = Duration.milliseconds(20)
    private static let keepInterval = Duration.seconds(5)

    /// Reads in the engine's copy, where that is due.
    private func keep(
        _ copy: EngineAnswer.Balances, _ keptAt: inout ContinuousClock.Instant, _ access: EngineAccess
    ) async throws {
        guard .now - keptAt > Self.keepInterval else { return }
        keptAt = .now
        var again = copy
        again.next = 0
        _ = try await page(access, again)
    }

    /// Waits until everything up to the record is settled.
    private func wait(until sequence: Int64, _ page: EngineAnswer.Balances, _ access: EngineAccess) async throws {
        let deadline = ContinuousClock.now + patience
        var keptAt = ContinuousClock.now
        while true {
            let state = try FeedStateStore.known(stream, connection)
            if state.watermark == page.sequence { try check(state, page) }
            guard state.watermark < sequence else { return }
            let name = "stream '\(stream.text.printable)'"
            let goal = past.map { "record \($0.sequence) is asked about" } ?? "the engine is at \(page.sequence)"
            if let reason = state.haltedFor {
                throw CommandFailure(
                    "\(name) is halted at record \(state.watermark), and \(goal): \(reason.printable). Try 'settle "
                        + "feed status'")
            }
            guard .now < deadline else {
                throw CommandFailure(
                    "after \(patience.argumentText) the books are at record \(state.watermark) of \(name), and \(goal)"
                        + (state.follower == nil
                            ? "; nobody follows it: 'settle worker --feed tcp://HOST:PORT' does"
                            : "; '--wait' gives them more time"))
            }
            try await keep(page, &keptAt, access)
            try await Task.sleep(for: Self.lookInterval)
        }
    }
}
