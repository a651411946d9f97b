import EmbeddedPostgres
import Foundation
import Repository
import ServiceKit
import TradeModel
import WalletClient

/// A migrated database for one test, on a throw-away server that all tests of the process share.
public final class TestDatabase: Sendable {
    public let name: String
    public let connectionString: String

    private static let server = Result { try Server() }

    public init() throws {
        let server = try Self.server.get()
        name = try server.createDatabase()
        connectionString = server.cluster.connectionString(database: name)
    }

    /// A copy of another one as it stands; nobody may be connected to that meanwhile.
    public init(copyOf other: TestDatabase) throws {
        let server = try Self.server.get()
        name = try server.createDatabase(from: other.name)
        connectionString = server.cluster.connectionString(database: name)
    }

    /// A database that is there already, with its tables.
    public init(name: String, connectionString: String) {
        self.name = name
        self.connectionString = connectionString
    }

    /// A slow machine is no failure: timeouts that a test does not ask for are long.
    public static let patientLimits = {
        var limits = Limits()
        limits.connectTimeoutSeconds = 60
        limits.lockTimeoutMilliseconds = 120_000
        limits.statementTimeoutMilliseconds = 150_000
        return limits
    }()

    public func connect(_ limits: Limits = patientLimits) throws -> PostgresConnection {
        try PostgresConnection(connectionString, limits: limits)
    }

    public func wallet(_ limits: Limits = patientLimits) -> Wallet {
        Wallet(walletConfiguration(limits))
    }

    public func walletConfiguration(_ limits: Limits = patientLimits) -> WalletConfiguration {
        WalletConfiguration(connectionString: connectionString, limits: limits, actor: "test") {
            Array("{\"id\":\"\($0.id)\"}".utf8)
        }
    }

    /// BTC with 8 decimals and USDT with 6, and their market.
    public func addMarket(
        _ symbol: String = "BTC/USDT", decimals: (base: Int, quote: Int) = (8, 6), fees: FeeRule = .received
    ) throws {
        let market = MarketSymbol(symbol)!
        let connection = try connect()
        _ = try connection.pipeline([
            CatalogStore.addAsset(market.base, decimals: decimals.base),
            CatalogStore.addAsset(market.quote, decimals: decimals.quote),
        ])
        try connection.query(
            CatalogStore.addMarket(market, priceDecimals: decimals.quote, tick: nil, lot: nil, fees: fees))
    }

    /// The violated invariants, as text; empty while the books are right.
    public func violations() throws -> [String] {
        try Verification.run(on: try connect()).violations.map { "\($0.invariant): \($0.subject): \($0.detail)" }
    }

    /// Runs SQL as a psql user would.
    public func execute(_ sql: String) throws {
        try connect().script(sql)
    }

    /// The same past the triggers and keys of the tables, as only a superuser gets.
    public func damage(_ sql: String) throws {
        try execute("set session_replication_role = replica; \(sql)")
    }

    /// The first column of the first row, as text.
    public func value(_ sql: String) throws -> String {
        let rows = try connect().query(Statement("value", "select (\(sql))::text"))
        return rows.isNull(0, 0) ? "" : rows.string(0, 0)
    }

    /// What an account has available, in plain decimals; "" where it has no balance.
    public func available(_ account: String, _ asset: String) throws -> String {
        try value("select available from account_balances where account = '\(account)' and asset = '\(asset)'")
    }
}

/// The folder of the project's migrations.
public let migrationsDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("migrations").path

private final class Server: Sendable {
    static let template = "settle_template"

    let cluster: EmbeddedCluster
    private let created = Guarded(0)

    init() throws {
        cluster = try EmbeddedCluster.throwaway(durable: false)
        try administrate("create database \(Self.template)")
        let connection = try PostgresConnection(cluster.connectionString(database: Self.template))
        try Migrator(connection, MigrationFiles(directory: migrationsDirectory)).up()
    }

    /// Copies the template; one at a time, since PostgreSQL allows no other user of it meanwhile.
    func createDatabase(from template: String = template) throws -> String {
        try created.withLock { created in
            created += 1
            let name = "test_\(created)"
            try administrate("create database \(name) template \(template)")
            return name
        }
    }

    private func administrate(_ sql: String) throws {
        try PostgresConnection(cluster.connectionString(database: "postgres")).script(sql)
    }
}
