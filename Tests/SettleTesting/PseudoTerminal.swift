import Foundation
import Glibc
import Synchronization

/// The real binary on a terminal of its own, with somebody at it: keys go in, and the screen can be read.
///
/// The program leads its session and is in the foreground, as below a shell; Ctrl-C is typed as `"\u{3}"`.
public final class PseudoTerminal: Sendable {
    private struct State {
        var screen: TerminalScreenEmulator
        var status: Int32?
    }

    public let processID: pid_t
    private let controller: Int32
    /// The program's side; kept open so that its modes can still be read when the program has ended.
    private let terminal: Int32
    private let state: Mutex<State>

    // TIOCSPTLCK and TIOCGPTN, which are not in the headers that Swift reads.
    private static let unlock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    /// Starts the program. Its environment is that of `Program`, in a locale with UTF-8 and on an xterm. A crash on a
    /// terminal would wait for somebody to look at its backtrace; here nobody does.
    public init(
        _ arguments: [String], columns: Int = 80, rows: Int = 24, environment: [String: String] = [:],
        directory: String = "/"
    ) throws {
        controller = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var number: Int32 = 0
        var locked: Int32 = 0
        guard controller >= 0, ioctl(controller, Self.unlock, &locked) == 0,
            ioctl(controller, Self.getNumber, &number) == 0
        else { throw WaitedInVain(description: "no pseudo-terminal: \(String(cString: strerror(errno)))") }
        let path = "/dev/pts/\(number)"
        terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        state = Mutex(State(screen: TerminalScreenEmulator(columns: columns, rows: rows)))
        Self.setSize(of: controller, columns, rows)
        let environment = Program.environment(
            [
                "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "NO_COLOR": "", "SWIFT_BACKTRACE": "enable=no",
            ].merging(environment) { $1 })
        // The shell becomes the program, and so keeps its number.
        let words = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, directory, Program.path] + arguments
        processID = try Self.spawn(words, environment, on: path)
        Thread.detachNewThread { [weak self, controller] in
            var source = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
            while poll(&source, 1, 50) >= 0 || errno == EINTR {
                guard let self else { return }
                self.readWhatIsThere()
            }
        }
    }

    /// A test that fails leaves no process behind.
    deinit {
        if state.withLock({ $0.status }) == nil {
            kill(processID, SIGKILL)
            waitpid(processID, nil, 0)
        }
        close(controller)
        close(terminal)
    }

    // MARK: - Hands and eyes

    public func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(controller, bytes, bytes.count)
    }

    public func resize(columns: Int, rows: Int) {
        state.withLock { $0.screen.resize(columns: columns, rows: rows) }
        Self.setSize(of: controller, columns, rows)
    }

    public func signal(_ number: Int32) {
        kill(processID, number)
    }

    public var screen: TerminalScreenEmulator { state.withLock { $0.screen } }

    /// How the terminal's keyboard is set, to be compared.
    public var modes: [UInt32] {
        var attributes = termios()
        tcgetattr(terminal, &attributes)
        return [attributes.c_iflag, attributes.c_oflag, attributes.c_cflag, attributes.c_lflag]
    }

    /// Waits until the screen is as it should be; throws with what it shows when it is not in time.
    @discardableResult
    public func waitUntil(
        _ what: String, timeout: Duration = .seconds(60), _ condition: (TerminalScreenEmulator) -> Bool
    ) async throws -> TerminalScreenEmulator {
        let deadline = ContinuousClock.now + timeout
        while true {
            let screen = screen
            if condition(screen) { return screen }
            guard ContinuousClock.now < deadline, isRunning || condition(self.screen) else {
                let shown = (screen.isAlternate ? screen.lines : screen.transcript).joined(separator: "\n")
                throw WaitedInVain(description: "waited until \(what); the screen shows:\n\(shown)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    // MARK: - The program's end

    public var isRunning: Bool { status() == nil }

    /// Waits until the program has ended, and returns as a shell counts: the exit status, or 128 and the signal. Kills
    /// it when it takes longer than the timeout.
    public func wait(timeout: Duration = .seconds(60)) async throws -> Int32 {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let status = status() {
                while !readWhatIsThere() {}
                return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F
            }
            if ContinuousClock.now > deadline { kill(processID, SIGKILL) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Whether a signal has stopped the program for the moment.
    public var isSuspended: Bool {
        let status = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        return status?.split(separator: ")").last?.split(separator: " ").first == "T"
    }

    private func status() -> Int32? {
        state.withLock { state in
            var status: Int32 = 0
            if state.status == nil, waitpid(processID, &status, WNOHANG) == processID { state.status = status }
            return state.status
        }
    }

    /// Returns whether there was nothing.
    @discardableResult
    private func readWhatIsThere() -> Bool {
        state.withLock { state in
            var source = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
            guard poll(&source, 1, 0) > 0 else { return true }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = read(controller, &bytes, bytes.count)
            if count > 0 { state.screen.feed(bytes.prefix(count)) }
            return count <= 0
        }
    }

    // MARK: - Starting

    private static func setSize(of terminal: Int32, _ columns: Int, _ rows: Int) {
        var size = winsize()
        size.ws_col = UInt16(columns)
        size.ws_row = UInt16(rows)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
    }

    /// Runs a program as the leader of a session whose terminal is at the path.
    private static func spawn(_ words: [String], _ environment: [String: String], on path: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // A leader without a terminal gets the first one that it opens.
        posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)

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

        var argv = words.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for string in argv + envp { free(string) } }
        var process = pid_t()
        let code = posix_spawn(&process, words[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw WaitedInVain(description: "cannot run: \(String(cString: strerror(code)))") }
        return process
    }
}
