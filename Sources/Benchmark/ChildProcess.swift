import Foundation

extension Process {
    /// Starts the program with all signals let through.
    ///
    /// A child inherits the signal mask of the thread that starts it, and threads of Dispatch block nearly all: pgbench
    /// would miss the alarm that ends its run.
    func runWithSignals() throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
