import CommandKit
import Repository
import TradeModel

extension FeedStateStore {
    /// The stream of that name; fails when none is followed.
    static func known(_ stream: Identifier, _ connection: PostgresConnection) throws -> FeedState {
        guard let state = decode(try connection.query(list(stream))).first else {
            throw CommandFailure(
                "no stream '\(stream.text.printable)' is followed; 'settle feed status' lists them", exit: .notFound)
        }
        return state
    }
}
