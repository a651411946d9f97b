import Repository
import ServiceKit

/// Something that a worker looks after beside the settling, from time to time: see ``BesideWork``.
protocol BesideDuty: Sendable {
    /// What fails is reported as this.
    var name: String { get }

    /// Does what is due. Asked every half second: it says to itself whether it is time.
    ///
    /// Long work asks `Task.isCancelled` between its steps. What one process alone may do takes an advisory lock; what
    /// another is at is left to it.
    ///
    /// - Returns: whether it is to be asked again at once.
    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool
}
