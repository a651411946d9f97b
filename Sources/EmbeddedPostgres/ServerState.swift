/// What `postmaster.pid` says about a server, once it is known whether the process it names is that server.
enum ServerState: Equatable {
    /// No server; nothing in the way.
    case absent
    /// No server, but the file of one that did not end properly: its number may be another process's by now.
    case stale
    case starting
    case ready(pid: Int32)
    case stopping

    /// The eighth line holds the status, padded with blanks; it is missing for an instant while the server starts.
    init(pidFile: String?, isServer: (Int32) -> Bool) {
        guard let pidFile else {
            self = .absent
            return
        }
        let lines = pidFile.split(separator: "\n", omittingEmptySubsequences: false)
        guard let pid = lines.first.flatMap({ Int32($0) }), pid > 0, isServer(pid) else {
            self = .stale
            return
        }
        switch lines.dropFirst(7).first?.prefix(while: { $0 != " " }) {
        case "ready": self = .ready(pid: pid)
        case "stopping": self = .stopping
        default: self = .starting
        }
    }
}
