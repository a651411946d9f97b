/// Why there is no private PostgreSQL to work with, in one line that also says what to do.
public enum EmbeddedPostgresError: Error, Equatable, CustomStringConvertible {
    /// No directory on this machine holds `initdb`, `pg_ctl`, `postgres` and `psql`.
    case binariesMissing
    /// A program of the base system is not where it always is.
    case toolMissing(String, package: String)
    /// A file or directory could not be made, opened, locked or read.
    case fileSystem(path: String, doing: String, reason: String)
    /// A directory that must be ours alone is somebody else's, or open to others.
    case notPrivate(path: String)
    /// The note says where the data lie, and there is nothing.
    case lost(path: String, note: String)
    /// `initdb` failed; its last line.
    case creationFailed(reason: String)
    /// The server did not come up; `log` is where it says why at length.
    case startFailed(reason: String, log: String)
    /// The running server refused what we asked of it.
    case commandFailed(String, reason: String)

    public var description: String {
        switch self {
        case .binariesMissing:
            "PostgreSQL's server programs are not installed. "
                + "Install Debian's package 'postgresql': sudo apt-get install postgresql"
        case .toolMissing(let tool, let package):
            "the program '\(tool)' is not installed. "
                + "Install Debian's package '\(package)': sudo apt-get install \(package)"
        case .fileSystem(let path, let doing, let reason):
            "cannot \(doing) \(path) (\(reason))"
        case .notPrivate(let path):
            "\(path) belongs to another user or is open to others, so no database is kept there. "
                + "Remove it, or work in another directory"
        case .lost(let path, let note):
            "the private database of this folder was kept in \(path), which is gone. Bring that folder back, or remove "
                + "\(note) to begin with an empty database"
        case .creationFailed(let reason):
            "initdb could not create the private PostgreSQL cluster: \(reason)"
        case .startFailed(let reason, let log):
            "the private PostgreSQL did not start: \(reason). Its log is \(log)"
        case .commandFailed(let command, let reason):
            "\(command) failed on the private PostgreSQL: \(reason)"
        }
    }
}
