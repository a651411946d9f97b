@preconcurrency import Glibc

/// The world that a command talks to: its streams, what is known of them, and the environment.
///
/// A plain value, so that tests can put another one in its place.
public struct Terminal: Sendable {
    public enum Stream: Int32, Sendable { case output = 1, error = 2 }

    public var environment: [String: String]
    public var inputIsTerminal = false
    public var outputIsTerminal = false
    public var errorIsTerminal = false
    /// The width at this moment; asked anew each time, since windows are resized.
    public var columns: @Sendable () -> Int = { 80 }
    public var write: @Sendable (Stream, String) throws -> Void
    public var readLine: @Sendable () -> String? = { nil }

    /// A terminal that is none: nothing of it is a TTY, and it is 80 columns wide.
    public init(environment: [String: String] = [:], write: @escaping @Sendable (Stream, String) throws -> Void) {
        self.environment = environment
        self.write = write
    }

    /// The streams of this process. From here on a closed pipe is an error to handle, not a signal to die of.
    public static func ofProcess() -> Terminal {
        signal(SIGPIPE, SIG_IGN)
        var terminal = Terminal(environment: processEnvironment()) { stream, text in
            try writeAll(text, to: stream.rawValue)
        }
        terminal.inputIsTerminal = isatty(0) == 1
        terminal.outputIsTerminal = isatty(1) == 1
        terminal.errorIsTerminal = isatty(2) == 1
        terminal.columns = { windowColumns() }
        terminal.readLine = { Swift.readLine() }
        return terminal
    }

    /// Writes to stderr; if nobody can read that, there is nobody to tell.
    func writeError(_ text: String) { try? write(.error, text) }
}

private func processEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        entry += 1
    }
    return variables
}

private func windowColumns() -> Int {
    for descriptor in [Int32(1), 2] {
        var window = winsize()
        if ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0 { return Int(window.ws_col) }
    }
    return 80
}

func writeAll(_ text: String, to descriptor: Int32) throws {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written >= 0 {
            bytes = bytes.dropFirst(written)
        } else if errno == EPIPE {
            throw BrokenPipe()
        } else if errno == EAGAIN {
            // The other end made the pipe non-blocking; wait until it has room.
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&room, 1, -1)
        } else if errno != EINTR {
            throw FileProblem(.write, "the output")
        }
    }
}
