@preconcurrency import Glibc

/// How the terminal was before a screen took it, where a signal's handler finds it without asking anybody.
enum TerminalAttributes {
    private static let fatalSignals = [SIGQUIT, SIGHUP, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE]

    /// Remembers how the terminal is; false if that is not to be found out.
    static func save() -> Bool {
        let attributes = saved ?? .allocate(capacity: 1)
        guard tcgetattr(STDIN_FILENO, attributes) == 0 else { return false }
        saved = attributes
        for number in fatalSignals { restoreBeforeDyingOf(number) }
        return true
    }

    /// Keys come at once and unseen. Ctrl-C and Ctrl-Z remain signals; Ctrl-S does not hold the output up.
    static func takeKeys() {
        guard var attributes = saved?.pointee else { return }
        attributes.c_lflag &= ~tcflag_t(ICANON | ECHO)
        attributes.c_iflag &= ~tcflag_t(IXON)
        withUnsafeMutableBytes(of: &attributes.c_cc) { keys in
            keys[Int(VMIN)] = 1
            keys[Int(VTIME)] = 0
        }
        isTaken = true
        tcsetattr(STDIN_FILENO, TCSADRAIN, &attributes)
    }

    /// The screen from before, with its cursor, and the keyboard. Uses nothing that a signal's handler may not.
    static func restore() {
        guard isTaken, let saved else { return }
        isTaken = false
        let leaving: StaticString = "\u{1B}[?2026l\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"
        _ = write(STDOUT_FILENO, leaving.utf8Start, leaving.utf8CodeUnitCount)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, saved)
    }

    /// Whoever handled the signal before, as Swift's backtraces do, handles it afterwards; who ignored it is not asked.
    private static func restoreBeforeDyingOf(_ number: Int32) {
        let actions = earlierActions ?? .allocate(capacity: Int(_NSIG))
        earlierActions = actions
        let earlier = actions + Int(number)
        guard sigaction(number, nil, earlier) == 0 else { return }
        let handler = earlier.pointee.__sigaction_handler.sa_handler
        guard unsafeBitCast(handler, to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self) else { return }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            TerminalAttributes.restore()
            guard let earlierActions else { return }
            sigaction(number, earlierActions + Int(number), nil)
            raise(number)
        }
        // On the stack for signals, where there is one: the usual one may be what has run out.
        action.sa_flags = SA_ONSTACK
        sigaction(number, &action, nil)
    }
}

// Plain globals with constant values: their first use in a signal's handler initialises nothing.
nonisolated(unsafe) private var saved: UnsafeMutablePointer<termios>?
nonisolated(unsafe) private var isTaken = false
nonisolated(unsafe) private var earlierActions: UnsafeMutablePointer<sigaction>?
