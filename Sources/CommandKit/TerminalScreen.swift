import Dispatch
@preconcurrency import Glibc
import Synchronization

/// The terminal as one screen: keys come in one by one, frames go out.
///
/// However the program ends, the terminal is given back as it was: by `leave()`, by `leaveAtOnce()` where there is no
/// time, and by signals that end the program. Ctrl-C and Ctrl-Z stay the signals that they are; a stopped program
/// leaves the screen first, and comes back to it when it goes on in the foreground.
public final class TerminalScreen: Sendable {
    public enum Event: Hashable, Sendable {
        case key(Key)
        case resized
        /// The terminal has gone; nothing more comes from it.
        case closed
    }

    private struct State {
        var painter: ScreenPainter
        var isShown = false
        var isLeft = false
        var waiting: [StyledLine]?
    }

    public let events: AsyncStream<Event>
    private let terminal: Terminal
    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "settle.screen")
    private let signals: SignalPipe
    private let send: AsyncStream<Event>.Continuation

    /// Whether this process has a terminal for itself, in both directions, that can do more than print.
    public static func isPossible(on terminal: Terminal) -> Bool {
        terminal.inputIsTerminal && terminal.outputIsTerminal
            && !["", "dumb", "unknown"].contains(terminal.environment["TERM", default: ""])
            && tcgetpgrp(STDIN_FILENO) == getpgrp()
    }

    /// Takes the terminal; nil if it does not let itself be taken.
    public init?(_ terminal: Terminal, colors: Bool) {
        guard let signals = SignalPipe([SIGWINCH, SIGTSTP, SIGCONT]), TerminalAttributes.save() else { return nil }
        self.terminal = terminal
        self.signals = signals
        state = Mutex(State(painter: ScreenPainter(colors: colors)))
        (events, send) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
        enter()
        DispatchQueue(label: "settle.keys").async { [self] in read() }
    }

    public var size: ScreenSize {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return ScreenSize(columns: 80, rows: 24)
        }
        return ScreenSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
    }

    /// Shows a frame. A terminal that is slow gets the newest one when it is ready for it; nobody waits.
    public func draw(_ lines: [StyledLine]) {
        let isFirst = state.withLock { state in
            defer { state.waiting = lines }
            return state.waiting == nil
        }
        if isFirst { queue.async { [self] in drawWaiting() } }
    }

    /// Gives the terminal back, with what was on it before.
    public func leave() {
        queue.sync {
            state.withLock { $0.isLeft = true }
            hide()
        }
        signals.close()
        send.finish()
    }

    /// Gives the terminal back on the spot, for an end without any ado. Does nothing where no screen is shown.
    public static func leaveAtOnce() { TerminalAttributes.restore() }

    // MARK: - On and off

    private func enter() {
        let isOurs = tcgetpgrp(STDIN_FILENO) == getpgrp()
        let isShown = state.withLock { state in
            state.isShown = isOurs && !state.isLeft
            state.painter.forget()
            return state.isShown
        }
        guard isShown else { return }
        TerminalAttributes.takeKeys()
        // The other screen; no cursor; what is too long does not wrap.
        try? terminal.write(.output, "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    private func hide() {
        let wasShown = state.withLock { state in
            defer { state.isShown = false }
            return state.isShown
        }
        if wasShown { TerminalAttributes.restore() }
    }

    private func drawWaiting() {
        let size = size
        let text = state.withLock { state in
            guard let lines = state.waiting.take(), state.isShown else { return "" }
            return state.painter.paint(lines, size: size)
        }
        guard !text.isEmpty else { return }
        do { try terminal.write(.output, text) } catch { close() }
    }

    private func close() {
        send.yield(.closed)
    }

    // MARK: - Keys and signals

    private func read() {
        var decoder = KeyDecoder()
        while true {
            switch signals.next(or: STDIN_FILENO) {
            case .signal(SIGWINCH):
                send.yield(.resized)
            case .signal(SIGTSTP):
                queue.sync { hide() }
                kill(getpid(), SIGSTOP)
            case .signal:
                // Continued, perhaps after somebody else has used the screen.
                queue.sync { enter() }
                send.yield(.resized)
            case .bytes(let bytes):
                for key in decoder.decode(bytes) { send.yield(.key(key)) }
            case .hungUp:
                close()
                return
            case .closed:
                return
            }
        }
    }
}
