import CommandKit
import TradeModel

/// A line of a file that was refused, and why.
struct LineRefusal {
    /// So many are named in JSON; stderr names all.
    static let shownMax = 1_000

    let line: Int
    let rejection: Rejection

    var json: JSONValue {
        [
            "line": .integer(line), "class": .string(rejection.failureClass.rawValue),
            "message": .string(rejection.message),
        ]
    }
}
