import Foundation
import Glibc
import ServiceKit

/// A program of PostgreSQL or of the system, run to its end.
struct Subprocess {
    struct Result {
        let status: Int32
        let output: String

        var succeeded: Bool { status == 0 }
        /// The last line that says something: what to show of a failed run.
        var lastLine: String { output.split(separator: "\n").last.map(String.init) ?? "exit status \(status)" }
    }

    /// Of our environment only what finds programs and libraries: `PG…` variables would redirect the tools.
    static var environment: [String: String] {
        var environment = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC",
        ]
        environment["LD_LIBRARY_PATH"] = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"]
        return environment
    }

    /// Runs `arguments` in `directory` and waits. The locks in `held` stay held until the program has ended, even if
    /// we are killed before; the program itself and what it leaves running do not get them.
    static func run(_ arguments: [String], in directory: String, held: [Int32] = [])
        throws(EmbeddedPostgresError) -> Result
    {
        precondition(held.count <= 2, "descriptors 7 and 8 are what the wrapper closes")
        let wrapper = #"cd "$0" || exit; "$@" 7>&- 8>&-; exit"#
        let targets = Dictionary(uniqueKeysWithValues: zip([Int32(7), 8], held))
        return try spawn(["/bin/sh", "-c", wrapper, directory] + arguments, inherited: targets)
    }

    /// Starts a shell script with `inherited` descriptors (number in the script → ours) and waits for it to end.
    static func spawn(_ arguments: [String], inherited: [Int32: Int32])
        throws(EmbeddedPostgresError) -> Result
    {
        let outputFile = try temporaryFile()
        defer { close(outputFile) }
        let descriptors = [1: outputFile, 2: outputFile].merging(inherited) { $1 }
        do {
            let process = try ChildProcess(arguments, environment: environment, descriptors: descriptors)
            return Result(status: process.wait().shellStatus, output: contents(of: outputFile))
        } catch {
            throw .system(arguments[0], "run", code: error.code)
        }
    }

    /// A nameless file for the output: a pipe would keep us waiting for whatever the program leaves running.
    private static func temporaryFile() throws(EmbeddedPostgresError) -> Int32 {
        var name = Array("/tmp/settle-output-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0, fcntl(file, F_SETFD, FD_CLOEXEC) == 0 else { throw .system("/tmp", "write to") }
        unlink(name)
        return file
    }

    private static func contents(of file: Int32) -> String {
        let size = Int(lseek(file, 0, SEEK_END))
        var bytes = [UInt8](repeating: 0, count: max(0, size))
        let count = pread(file, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
