import Foundation
import Glibc

/// The directory with this machine's PostgreSQL programs.
public struct PostgresBinaries: Sendable, Equatable {
    static let required = ["initdb", "pg_ctl", "postgres", "psql"]
    static let debianRoot = "/usr/lib/postgresql"

    public let directory: String

    /// Finds them where `pg_config --bindir` says, else in the newest of `/usr/lib/postgresql/*/bin`, else in `PATH`.
    public static func find() throws(EmbeddedPostgresError) -> PostgresBinaries {
        try find(major: nil)
    }

    /// As `find()`, but prefers Debian's directory for the version `major`, in which a cluster was made.
    static func find(major: String?) throws(EmbeddedPostgresError) -> PostgresBinaries {
        if let major, let same = try? first(of: ["\(debianRoot)/\(major)/bin"]) { return same }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return try first(
            of: configured() + newestFirst(under: debianRoot) + path.split(separator: ":").map(String.init))
    }

    /// The first of `directories` that has all of the programs.
    static func first(of directories: [String]) throws(EmbeddedPostgresError) -> PostgresBinaries {
        let complete = directories.first { directory in
            directory.hasPrefix("/") && required.allSatisfy { access("\(directory)/\($0)", X_OK) == 0 }
        }
        guard let complete else { throw .binariesMissing }
        return PostgresBinaries(directory: complete)
    }

    /// Debian's `…/17/bin` before `…/9.6/bin`: by number, not by letter.
    static func newestFirst(under root: String) -> [String] {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.filter { $0.first?.isNumber == true }
            .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
            .map { "\(root)/\($0)/bin" }
    }

    private static func configured() -> [String] {
        let answer = try? Subprocess.run(["pg_config", "--bindir"], in: "/")
        return answer.flatMap { $0.succeeded ? [$0.output] : nil } ?? []
    }

    func path(_ program: String) -> String { "\(directory)/\(program)" }
}
