import Foundation
import Glibc

/// A program run to its end in a session of its own: it gets none of our descriptors, signals or terminal.
struct Subprocess {
    struct Result {
        let status: Int32
        let output: String

        var succeeded: Bool { status == 0 }
        /// The last line that says something: what to show of a failed run.
        var lastLine: String { output.split(separator: "\n").last.map(String.init) ?? "exit status \(status)" }
    }

    /// Of our environment only what finds programs and libraries: `PG…` variables would redirect the tools.
    static var environment: [String] {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let library = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"].map { ["LD_LIBRARY_PATH=\($0)"] } ?? []
        return [path, "LC_ALL=C", "TZ=UTC"] + library
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
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }

        // Copies above every target, so that no dup2 overwrites the source of a later one.
        let sources = [0: null, 1: outputFile, 2: outputFile].merging(inherited) { $1 }
            .mapValues { fcntl($0, F_DUPFD_CLOEXEC, 64) }
        defer { for copy in sources.values { close(copy) } }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in sources { posix_spawn_file_actions_adddup2(&actions, source, target) }
        for open in openDescriptors() where sources[open] == nil {
            posix_spawn_file_actions_addclose(&actions, open)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        // 0x80 is POSIX_SPAWN_SETSID, which glibc's header shows only under _GNU_SOURCE.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | 0x80))

        var argv = arguments.map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for string in argv + envp { free(string) } }
        var process = pid_t()
        let code = posix_spawn(&process, arguments[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw .system(arguments[0], "run", code: code) }

        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw .system(arguments[0], "wait for") }
        }
        return Result(status: exitStatus(status), output: contents(of: outputFile))
    }

    /// As a shell counts: the exit status, or 128 and the signal.
    private static func exitStatus(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
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

    private static func openDescriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 }
    }
}
