import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

extension TestDatabase {
    /// Returns when so many connections of this database wait for a lock.
    func untilWaitingForLocks(_ count: Int) async throws {
        try await until(
            "select count(*) = \(count) from pg_stat_activity "
                + "where datname = current_database() and wait_event_type = 'Lock'")
    }

    /// Returns when a query says true. The database is the signal, and has to be asked for it.
    func until(_ condition: String) async throws {
        let connection = try connect()
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: .seconds(100))
        while clock.now < end {
            if try connection.query(Statement("until", condition)).bool(0, 0) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("it did not come to: \(condition)")
    }

    /// A connection in a transaction that holds a customer's balance.
    func holding(_ account: String, _ asset: String) throws -> PostgresConnection {
        let connection = try connect()
        try connection.script(
            """
            begin; select from balances join accounts using (account_no) join assets using (asset_no)
             where accounts.id = '\(account)' and symbol = '\(asset)' for update of balances
            """)
        return connection
    }

    /// A connection in a transaction for whose end whatever inserts into a table waits.
    func holdingUp(insertsInto table: String) throws -> PostgresConnection {
        try execute(
            """
            create function hold_up() returns trigger language plpgsql as $$
            begin
                perform pg_advisory_xact_lock(1);
                return new;
            end $$;
            create trigger hold_up before insert on \(table) for each row execute function hold_up()
            """)
        let connection = try connect()
        try connection.script("begin; select pg_advisory_xact_lock(1)")
        return connection
    }

    /// Stores trades as PENDING and returns them as a process gets them that has claimed them.
    func pending(_ items: SettlementItem...) throws -> [SettlementItem] {
        _ = try connect().pipeline([TradeStore.accept(items.compactMap(\.trade))])
        return try items.map { item in
            let place = try value("select received_seq from trades where trade_id = '\(item.trade!.id)'")
            return SettlementItem(item.subject, origin: .pending(receivedSequence: Int64(place)!, attempts: 0))
        }
    }
}

/// Runs what waits for a lock where it keeps nobody else from running.
func onThreadOfItsOwn<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

extension Outcome {
    var failureClass: FailureClass? { if case .rejected(let rejection) = self { rejection.failureClass } else { nil } }
}

/// How something failed that must fail.
func failure<Value>(_ body: () async throws -> Value) async throws -> WalletError? {
    do {
        Issue.record("it came to \(try await body())")
        return nil
    } catch let error as WalletError {
        return error
    }
}

extension WalletError {
    /// What to do next, by name.
    var kind: String {
        switch self {
        case .retry: "retry"
        case .reject: "reject"
        case .findOut: "findOut"
        case .unavailable: "unavailable"
        case .overtaken: "overtaken"
        case .outOfTurn: "out of turn"
        }
    }

    var lostBatch: BatchNumber? { if case .findOut(let number, _) = self { number } else { nil } }
}

/// Begins something that blocks, on a thread of its own: those of the test wait for nothing.
func inBackground<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) -> Task<Value, any Error> {
    Task {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
        }
    }
}
