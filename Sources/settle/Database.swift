import CommandKit
import EmbeddedPostgres
import Foundation
import Repository
import ServiceKit
import SettlementWorkers
import WalletClient

/// The database of a command, and the lease on the private server where there is one.
struct Database {
    let connectionString: String
    let limits: Limits
    private let cluster: EmbeddedCluster?

    /// Whether it is the private one in `.settle/`.
    var isEmbedded: Bool { cluster != nil }

    /// Where the private one's data lie; nil where another database was named.
    var dataDirectory: String? { cluster?.dataDirectory }

    /// What a person knows it by: `the private database in .settle/`, `database 'settle' at db1:5432`.
    func name() throws -> String {
        if isEmbedded { return "the private database in .settle/" }
        let connection = try connect()
        return "database '\(connection.database)' at \(connection.address)"
    }

    func connect() throws -> PostgresConnection {
        do throws(DatabaseError) {
            return try PostgresConnection(connectionString, limits: limits)
        } catch {
            guard error.sqlState == nil, ConnectionString(connectionString)?.isName == true else { throw error }
            var told = error
            // Said without the text itself: somebody may have meant it to hold a password.
            told.message += "; what stands for the database URL was read as the mere name of a database"
            throw told
        }
    }

    /// Leaves a private server; as its last user, waits until it has stopped.
    func leave() {
        cluster?.leave(stopTimeout: .seconds(20))
    }

    /// Opens the database that the flags and the environment name.
    ///
    /// - Parameters:
    ///   - migrated: whether the tables must be there. The private database is brought up to date by itself.
    ///   - isMaker: whether the command may make a private database where none is: only what puts something into an
    ///     empty one may. Whoever reads, or moves money, has come to the wrong folder.
    init(_ context: Context, migrated: Bool = true, isMaker: Bool = false) throws {
        limits = try Limits(environment: context.environment)
        if let url = context.globals.databaseURL {
            guard let readable = ConnectionString(url) else {
                throw UsageError(
                    "the database URL cannot be read; it is like postgres://USER:PASSWORD@HOST:PORT/DATABASE, and a "
                        + "password's '@' is written %40, its '/' %2F, its '%' %25")
            }
            connectionString = readable.text
            cluster = nil
        } else if EmbeddedCluster.isWanted(environment: context.environment) {
            guard try EmbeddedCluster.exists() || isMaker else {
                throw CommandFailure(
                    "no database is named, and there is none in .settle/ here. Name one with --database-url or "
                        + "DATABASE_URL, or make one here: 'settle migrate up' makes an empty one, 'settle up' one "
                        + "with a simulated market.", exit: .unavailable)
            }
            let cluster = try EmbeddedCluster.acquire { context.output.note($0) }
            connectionString = cluster.connectionString
            self.cluster = cluster
        } else {
            connectionString = ""
            cluster = nil
        }
        guard migrated else { return }
        let migrator = Migrator(try connect(), try MigrationFiles.find(environment: context.environment))
        if isEmbedded {
            try migrator.up()
        } else if let missing = try migrator.pending().first {
            throw CommandFailure(
                "the database lacks migration \(missing.version) (\(missing.name)). Run 'settle migrate up'.")
        }
    }
}

extension Settle {
    /// What an error of the parts below means to whoever typed the command.
    static func explain(_ error: any Error) -> CommandFailure? {
        switch error {
        case let error as DatabaseError where error.sqlState == nil || error.isServerUnready:
            CommandFailure(
                "\(sentence(error.message)) \(ConnectionAdvice.on(error.message).hint) \(seeDoctor)",
                exit: .unavailable,
                detail: error.detail)
        case let error as DatabaseError where error.isConnectionLoss:
            CommandFailure(
                "PostgreSQL ended the connection: \(sentence(error.message)) \(seeDoctor)", exit: .unavailable)
        case let error as DatabaseError where error.isOfSharedSession:
            CommandFailure(
                "a connection pooler gives our session to others; settle needs one in session mode, or none. "
                    + seeDoctor,
                exit: .unavailable, detail: error.message)
        case let error as DatabaseError where error.sqlState == "42P01":
            CommandFailure(
                "the database does not have the tables of this version. Run 'settle migrate up'.",
                detail: error.message)
        case let error as DatabaseError:
            CommandFailure(
                "PostgreSQL refused: \(error.message)",
                detail: "SQLSTATE \(error.sqlState ?? "-") \(error.detail ?? "")")
        case let error as WalletError:
            switch error {
            case .unavailable(let fault):
                CommandFailure(
                    "\(sentence(fault.message)) \(ConnectionAdvice.on(fault.message).hint) \(seeDoctor)",
                    exit: .unavailable)
            default:
                CommandFailure(
                    error.fault?.message ?? "others kept moving the same money; try again", exit: .refused,
                    detail: error.fault?.description)
            }
        case let error as EmbeddedPostgresError:
            CommandFailure("\(error)", exit: .unavailable)
        case let error as InvalidLimit:
            CommandFailure("\(error)", exit: .usage)
        case let error as QueuePaused:
            CommandFailure("\(error); nothing is settled until 'settle queue resume'".printable)
        case let error as HorizonError:
            CommandFailure(
                "a transaction is open that may still bring batches from before \(error.until). Try again when it has "
                    + "ended.")
        case let error as MigrationError:
            CommandFailure("\(error)")
        default:
            nil
        }
    }

    private static let seeDoctor = "Try 'settle doctor'."

    /// With one full stop: libpq's own words have one sometimes.
    private static func sentence(_ message: String) -> String { message.hasSuffix(".") ? message : message + "." }
}
