import Foundation
import Glibc

/// A program that runs beside this one, in a session of its own: it gets the descriptors it is given and no others, and
/// every signal reaches it.
///
/// Foundation's `Process` learns of an end by a socket that any child started in the same moment may hold open as well:
/// it then waits for both. Here the kernel is asked about the very process.
public final class ChildProcess: Sendable {
    /// How a program ended.
    public enum Termination: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)

        /// As a shell counts: the exit status, or 128 and the signal.
        public var shellStatus: Int32 {
            switch self {
            case .exited(let status): status
            case .killed(let signal): 128 + signal
            }
        }
    }

    public let processID: pid_t
    private let end = Guarded<Termination?>(nil)

    /// Held while a descriptor exists that is not yet marked to be closed in children.
    private static let starting = Guarded(())

    /// Starts a program, by the path of its file. `descriptors` says which of ours (on the right) it has as its own
    /// numbers (on the left); of the first three, those left out are `/dev/null`. With a `terminal` it is in the
    /// foreground there, and has it for these three.
    public init(
        _ arguments: [String], environment: [String: String], directory: String? = nil,
        descriptors: [Int32: Int32] = [:], terminal: String? = nil
    ) throws(ChildProcessError) {
        // The shell becomes the program, and so keeps its number.
        let entering = directory.map { ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, $0] } ?? []
        let result = Self.starting.withLock { _ in
            Self.start(entering + arguments, environment, descriptors, terminal)
        }
        processID = try result.get()
    }

    deinit { _ = termination }

    private static func start(
        _ arguments: [String], _ environment: [String: String], _ descriptors: [Int32: Int32], _ terminal: String?
    ) -> Result<pid_t, ChildProcessError> {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        // Copies above every number of the program's, so that none overwrites what another is made from.
        let copies = [0: null, 1: null, 2: null].merging(descriptors) { $1 }
            .mapValues { fcntl($0, F_DUPFD_CLOEXEC, 64) }
        defer { for copy in copies.values { close(copy) } }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, copy) in copies { posix_spawn_file_actions_adddup2(&actions, copy, number) }
        for other in openDescriptors() where copies[other] == nil {
            posix_spawn_file_actions_addclose(&actions, other)
        }
        if let terminal {
            // The leader of a session without a terminal gets the first one that it opens.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }

        // A child has the signal mask of the thread that starts it, and Dispatch's threads block nearly all signals.
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
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for string in argv + envp { free(string) } }
        var process = pid_t()
        let code = posix_spawn(&process, arguments[0], &actions, &attributes, &argv, &envp)
        return code == 0 ? .success(process) : .failure(ChildProcessError(program: arguments[0], code: code))
    }

    private static func openDescriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 }
    }

    // MARK: - While it runs

    public var isRunning: Bool { termination == nil }

    /// How it ended; nil while it runs.
    public var termination: Termination? {
        end.withLock { end in
            var status: Int32 = 0
            if end == nil, waitpid(processID, &status, WNOHANG) == processID {
                let signal = status & 0x7F
                end = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
            }
            return end
        }
    }

    /// Sends a signal, unless it has ended: its number may be another's by then.
    public func signal(_ number: Int32) {
        end.withLock { end in
            if end == nil { _ = kill(processID, number) }
        }
    }

    /// Waits for its end on the calling thread, which should be one that may be held.
    @discardableResult
    public func wait() -> Termination {
        while true {
            if let termination { return termination }
            // Until it has ended, and without taking note of it.
            var information = siginfo_t()
            _ = waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT)
        }
    }

    // MARK: - Talking to it

    /// A pipe that no child gets but by name.
    public static func pipe() throws(ChildProcessError) -> (reading: FileHandle, writing: FileHandle) {
        var ends: [Int32] = [-1, -1]
        let code = starting.withLock { _ in
            guard Glibc.pipe(&ends) == 0 else { return errno }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return 0
        }
        guard code == 0 else { throw ChildProcessError(program: "a pipe", code: code) }
        return (
            FileHandle(fileDescriptor: ends[0], closeOnDealloc: true),
            FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        )
    }
}

/// A program could not be started.
public struct ChildProcessError: Error, CustomStringConvertible {
    public let program: String
    /// The number of the error, as in errno.
    public let code: Int32

    public var description: String { "cannot run \(program): \(String(cString: strerror(code)))" }
}
