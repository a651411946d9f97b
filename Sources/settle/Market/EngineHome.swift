import CommandKit
import Foundation
import Repository
import TradeModel

/// Where the simulated market's engine keeps what it knows, and what its output is called.
///
/// Engine and books belong together: the books name the stream that they follow, and the folder is named for it, so
/// that neither goes on with another's.
struct EngineHome {
    private static let prefix = "up-"
    /// Where the folders are when the database is not our private one.
    private static let parent = ".settle/engine"

    let stream: Identifier
    let folder: String

    /// What sets the engine's accounts apart from others of such a name.
    var mark: String { String(stream.text.dropFirst(Self.prefix.count)) }

    /// Finds the engine whose output the books follow, or a place for a new one.
    ///
    /// - Parameter run: names a new stream.
    init(_ database: Database, _ connection: PostgresConnection, run: String) throws {
        let states = FeedStateStore.decode(try connection.query(FeedStateStore.list()))
        if let other = states.first(where: { !$0.stream.text.hasPrefix(Self.prefix) }) {
            throw CommandFailure(
                "this database follows an engine of yours, its output is called '\(other.stream.text.printable)'; the "
                    + "simulated market has its own. Run 'settle up' in an empty folder without a database named."
            )
        }
        let parent =
            database.dataDirectory.map { ($0 as NSString).deletingLastPathComponent + "/engine" } ?? Self.parent
        let found = states.first { FileManager.default.fileExists(atPath: "\(parent)/\($0.stream)") }
        guard let state = found else {
            if let lost = states.first {
                throw CommandFailure(
                    "the engine that these books follow kept what it knows in \(parent)/\(lost.stream), which is not "
                        + "here. Run 'settle up' in the folder where it ran before, or with another database.")
            }
            stream = Identifier(Self.prefix + run)!
            folder = "\(parent)/\(stream)"
            return
        }
        if let reason = state.haltedFor {
            throw CommandFailure(
                "the books do not follow the engine any further: \(reason.printable). When the cause is mended: "
                    + "'settle feed resume \(state.stream) --reason …'")
        }
        stream = state.stream
        folder = "\(parent)/\(stream)"
        try Self.release(state, connection)
    }

    /// Whoever was killed while it followed the engine need not be waited for.
    private static func release(_ state: FeedState, _ connection: PostgresConnection) throws {
        guard let follower = state.follower,
            let worker = WorkerStore.decode(try connection.query(WorkerStore.list))
                .first(where: { $0.number == follower }),
            worker.hasEndedHere
        else { return }
        try connection.query(FeedStateStore.release(state.stream, from: follower))
    }
}
