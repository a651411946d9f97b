import Foundation
import Glibc
import ServiceKit
import Synchronization

/// The real binary on a terminal of its own, with somebody at it: keys go in, and the screen can be read.
///
/// The program leads its session and is in the foreground, as below a shell; Ctrl-C is typed as `"\u{3}"`.
public final class PseudoTerminal: Sendable {
    private let process: ChildProcess
    private let controller: Int32
    /// The program's side; kept open so that its modes can still be read when the program has ended.
    private let terminal: Int32
    private let emulator: Mutex<TerminalScreenEmulator>

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
        emulator = Mutex(TerminalScreenEmulator(columns: columns, rows: rows))
        Self.setSize(of: controller, columns, rows)
        let environment = Program.environment(
            [
                "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "NO_COLOR": "", "SWIFT_BACKTRACE": "enable=no",
            ].merging(environment) { $1 })
        process = try ChildProcess(
            [Program.path] + arguments, environment: environment, directory: directory, terminal: path)
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
        process.signal(SIGKILL)
        process.wait()
        close(controller)
        close(terminal)
    }

    // MARK: - Hands and eyes

    public func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(controller, bytes, bytes.count)
    }

    public func resize(columns: Int, rows: Int) {
        emulator.withLock { $0.resize(columns: columns, rows: rows) }
        Self.setSize(of: controller, columns, rows)
    }

    public func signal(_ number: Int32) {
        process.signal(number)
    }

    public var screen: TerminalScreenEmulator { emulator.withLock { $0 } }

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

    public var isRunning: Bool { process.isRunning }

    /// Waits until the program has ended, and returns as a shell counts: the exit status, or 128 and the signal. Kills
    /// it when it takes longer than the timeout.
    public func wait(timeout: Duration = .seconds(60)) async throws -> Int32 {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let end = process.termination {
                while !readWhatIsThere() {}
                return end.shellStatus
            }
            if ContinuousClock.now > deadline { process.signal(SIGKILL) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Whether a signal has stopped the program for the moment.
    public var isSuspended: Bool {
        let status = try? String(contentsOfFile: "/proc/\(process.processID)/stat", encoding: .utf8)
        return status?.split(separator: ")").last?.split(separator: " ").first == "T"
    }

    /// Returns whether there was nothing.
    @discardableResult
    private func readWhatIsThere() -> Bool {
        emulator.withLock { screen in
            var source = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
            guard poll(&source, 1, 0) > 0 else { return true }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = read(controller, &bytes, bytes.count)
            if count > 0 { screen.feed(bytes.prefix(count)) }
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
}
