import CommandKit
import Repository
import TradeModel
import WalletClient

/// A comparison of the books' trades with those of somebody else, from the first of theirs to what is stored again.
struct TradeCheck {
    /// What is stored at once, with a record of the action of its own.
    private static let pageSize = 2_000
    /// So many that cannot be stored are named.
    private static let refusalsMax = 100

    private var comparison: TradeComparison
    private let connection: PostgresConnection
    private let output: Output
    private(set) var found: TradeReconciliation
    private(set) var expectation = TradeComparison.Expectation.nothing
    /// The number under which it is kept; nil in a dry run, which keeps nothing.
    private(set) var job: Int64?
    /// How many that are missing here were stored, or would be.
    private(set) var restoredCount: Int64?
    private var waiting: [StatedTrade] = []

    init(_ side: TradeReconciliation.Side, on connection: PostgresConnection, _ output: Output) throws {
        comparison = try TradeComparison(on: connection)
        self.connection = connection
        self.output = output
        found = TradeReconciliation(side, startedAt: .now)
    }

    /// What is missing here and was not stored again, and all else that is not the same.
    var openCount: Int64 { found.findingCount - (restoredCount ?? 0) }

    // MARK: Theirs

    mutating func add(_ trades: some Collection<StatedTrade>) throws {
        waiting += trades
        if waiting.count >= Self.pageSize { try send() }
    }

    mutating func refuse() { found.refusedCount += 1 }

    private mutating func send() throws {
        try comparison.add(waiting)
        found.tradeCount += Int64(waiting.count)
        waiting.removeAll(keepingCapacity: true)
    }

    mutating func finish() throws -> TradeComparison.Extent {
        try send()
        return try comparison.finish()
    }

    // MARK: Both

    /// Finds what is not the same; where lines of JSON are wanted, each finding is one.
    mutating func compare(expecting expectation: TradeComparison.Expectation, keeps: Bool) throws {
        self.expectation = expectation
        var found = self.found
        let (output, streams) = (output, output.format == .jsonl && found.isOfFile)
        try comparison.findings(expecting: expectation) { page in
            found.add(page)
            if streams { for finding in page { try output.record(finding.json) } }
        }
        self.found = found
        if keeps { job = try ReconciliationStore.record(found, actor: operatorName, on: connection) }
    }

    // MARK: What is missing here

    /// Stores what is missing here and can be had from there, as `settle trade submit` does. Nothing that is here, or
    /// parked, is touched; and what they say in two ways is not believed.
    mutating func restore(dryRun: Bool, reason: String) throws {
        let catalog = try CatalogStore.read(connection)
        var count: Int64 = 0
        var refused = 0
        let (connection, output, side, job) = (connection, output, found.side, job)
        try comparison.missing { page in
            var trades: [Trade] = []
            for stated in page {
                do throws(Rejection) {
                    guard let trade = stated.trade else {
                        throw Rejection(
                            .invalid, "price, quantity, buyer_id, seller_id, buyer_fee and seller_fee are not all said")
                    }
                    _ = try TradeTerms(trade, in: catalog)
                    trades.append(trade)
                } catch {
                    refused += 1
                    guard refused <= Self.refusalsMax else { continue }
                    output.note(
                        "trade \(stated.market):\(stated.id) cannot be stored: \(error.failureClass.rawValue): "
                            + error.message)
                }
            }
            guard !dryRun else {
                count += Int64(trades.count)
                return
            }
            let stored = try TradeStore.restore(trades, on: connection) { keys in
                OperatorAction(
                    .restore, .reconciliation(job ?? 0), actor: operatorName, reason: reason,
                    detail: [
                        ("from", side.name), ("trades", "\(keys.count)"), ("first", keys.min()?.description ?? ""),
                        ("last", keys.max()?.description ?? ""),
                    ])
            }
            count += Int64(stored.count)
        }
        if refused > Self.refusalsMax { output.note("and \((refused - Self.refusalsMax).grouped) more") }
        restoredCount = count
    }
}

extension TradeReconciliation.Side {
    /// As people call it.
    var name: String {
        switch self {
        case .file(let name): name
        case .engine(let stream, _, _): "the engine of stream \(stream)"
        }
    }
}

extension TradeReconciliation {
    var isOfFile: Bool {
        if case .file = side { true } else { false }
    }
}
