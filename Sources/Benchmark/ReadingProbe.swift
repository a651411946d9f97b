import Repository
import TradeModel

/// Asks for balances and statements of accounts that trade, over a connection of its own, as the commands do.
struct ReadingProbe {
    private let connection: PostgresConnection
    private let accounts: [Identifier]
    private static let pageLength: Int64 = 50

    /// - Parameter generator: the accounts are the buyers of its first trades.
    init(_ connection: PostgresConnection, _ generator: LoadGenerator, count: Int) {
        self.connection = connection
        accounts = (0..<count).map { Identifier(LoadLine.accountID(generator.trade($0).buyer))! }
    }

    func measure(into condition: inout BenchmarkReport.Condition) throws {
        for id in accounts {
            try Task.checkCancellation()
            condition.balance.record(nanoseconds: try time { try balance(of: id) })
            condition.statement.record(nanoseconds: try time { try page(of: id, isNewest: false) })
            condition.newestEntries.record(nanoseconds: try time { try page(of: id, isNewest: true) })
        }
    }

    private func time(_ body: () throws -> Void) rethrows -> Int64 {
        let start = ContinuousClock.now
        try body()
        return start.duration(to: .now).nanoseconds
    }

    private func balance(of id: Identifier) throws {
        let numbers = try AccountStore.named(id, connection).map(\.number)
        _ = try CatalogStore.read(connection)
        _ = try BalanceStore.current(of: numbers, asset: nil, connection)
    }

    /// A page in each asset.
    private func page(of id: Identifier, isNewest: Bool) throws {
        guard let owner = try AccountStore.named(id, connection).first else { return }
        _ = try CatalogStore.read(connection)
        try LedgerReader.read(connection) { reader throws(DatabaseError) in
            for (key, balance) in try BalanceStore.current(of: [owner.number], asset: nil, connection)
            where balance.version > 0 {
                let newest = balance.version
                let versions =
                    isNewest ? max(1, newest - Self.pageLength + 1)...newest : 1...min(newest, Self.pageLength)
                _ = try reader.lines(of: key, versions: versions, newest: newest, since: owner.openedAt)
            }
        }
    }
}
