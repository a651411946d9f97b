import CommandKit

/// What a check found, in one line, and what mends it.
struct Finding: Sendable, Equatable {
    enum Status: String, Sendable {
        case ok
        /// Worth knowing, and nothing that keeps the service from its work.
        case remark
        case problem

        var style: Style {
            switch self {
            case .ok: .green
            case .remark: .yellow
            case .problem: .red
            }
        }
    }

    let name: String
    let status: Status
    let message: String
    /// A command to type, or an advice where there is none.
    let remedy: String?

    static func ok(_ name: String, _ message: String) -> Finding {
        Finding(name: name, status: .ok, message: message, remedy: nil)
    }

    static func remark(_ name: String, _ message: String, remedy: String? = nil) -> Finding {
        Finding(name: name, status: .remark, message: message, remedy: remedy)
    }

    static func problem(_ name: String, _ message: String, remedy: String) -> Finding {
        Finding(name: name, status: .problem, message: message, remedy: remedy)
    }

    var json: JSONValue {
        [
            "name": .string(name), "status": .string(status.rawValue), "message": .string(message),
            "remedy": .string(remedy),
        ]
    }
}
