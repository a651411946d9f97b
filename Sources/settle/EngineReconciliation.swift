import CommandKit
import EngineHost
import Repository
import TradeFeed
import TradeModel

/// Asks an engine what everybody has, and compares it with the books as they were at the same record.
struct EngineReconciliation {
    let engine: IntakeEndpoint
    let stream: Identifier
    /// How long the books may take to come to the record.
    let patience: Duration
    let connection: PostgresConnection

    struct Result {
        var comparison: BalanceComparison
        /// The hash at the record, as the engine has it.
        let hash: String
        /// How many records up to there the books never saw.
        let skippedCount: Int64
    }

    /// - Parameters:
    ///   - chosen: the accounts that are compared; nil for all that either side knows by this stream.
    ///   - comparesHouse: whether what the exchange earned is compared, too.
    func compare(
        of chosen: Set<Identifier>? = nil, comparesHouse: Bool, progress: (Int) -> Void = { _ in }
    ) async throws -> Result {
        let startedAt = Timestamp.now
        // In this order: what the engine does behind the record comes in later batches than this.
        let batch = try LedgerAtRecord.newestBatch(connection)
        let before = try state()
        let access = try EngineAccess(engine)
        let first = try await page(access, nil)
        if before.watermark >= first.sequence { try check(before, first) }
        try await wait(for: first, access)
        guard let ledger = try LedgerAtRecord.open(connection, stream, at: first.sequence, since: batch) else {
            throw CommandFailure("the watermark of stream '\(stream.text.printable)' has gone back; try again")
        }
        defer { ledger.close() }
        if ledger.state.watermark == first.sequence { try check(ledger.state, first) }
        var comparison = BalanceComparison(
            Reconciliation(
                stream: stream, sequence: first.sequence, watermark: ledger.state.watermark, startedAt: startedAt),
            of: chosen)
        if comparesHouse { try comparison.compareHouse(first, ledger) }
        var page = first
        while true {
            try comparison.compare(page, ledger)
            progress(Int(comparison.found.accountCount))
            guard page.next != nil else { break }
            page = try await self.page(access, page)
        }
        if chosen == nil { try comparison.compareUnknown(ledger) }
        try comparison.explain(ledger)
        let skipped = try connection.pipeline([FeedGapStore.skippedCount(stream, upTo: first.sequence)])[0].int64(0, 0)
        return Result(comparison: comparison, hash: first.hash, skippedCount: skipped)
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

    private func state() throws -> FeedState {
        guard let state = FeedStateStore.decode(try connection.pipeline([FeedStateStore.list(stream)])[0]).first else {
            throw CommandFailure(
                "no stream '\(stream.text.printable)' is followed; 'settle feed status' lists them", exit: .notFound)
        }
        return state
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

    /// Waits until everything up to the record is settled.
    private func wait(for page: EngineAnswer.Balances, _ access: EngineAccess) async throws {
        let deadline = ContinuousClock.now + patience
        var keptAt = ContinuousClock.now
        while true {
            let state = try state()
            if state.watermark == page.sequence { try check(state, page) }
            guard state.watermark < page.sequence else { return }
            let name = "stream '\(stream.text.printable)'"
            if let reason = state.haltedFor {
                throw CommandFailure(
                    "\(name) is halted at record \(state.watermark), and the engine is at \(page.sequence): "
                        + "\(reason.printable). Try 'settle feed status'")
            }
            guard .now < deadline else {
                throw CommandFailure(
                    "after \(patience.argumentText) the books are at record \(state.watermark) of \(name), and the "
                        + "engine is at \(page.sequence)"
                        + (state.follower == nil
                            ? "; nobody follows it: 'settle worker --feed tcp://HOST:PORT' does"
                            : "; '--wait' gives them more time"))
            }
            if .now - keptAt > Self.keepInterval {
                keptAt = .now
                var again = page
                again.next = 0
                _ = try await self.page(access, again)
            }
            try await Task.sleep(for: Self.lookInterval)
        }
    }
}
