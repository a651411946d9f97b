import Glibc

/// A small process that outlives its users and stops the server after the last of them.
///
/// It waits for the exclusive lock on `users.lock`, which it gets once no user is left, however the users ended. While
/// it stops the server it holds that lock, so that a new user waits. It gives up `keeper.lock` before `users.lock`: a
/// new user, who has `users.lock`, never takes a keeper that has done its work for one that still waits.
struct Keeper {
    /// How the server is stopped: `fast` writes a checkpoint, `immediate` does not.
    enum Duty: String {
        case stop = "fast"
        case stopAndRemove = "immediate"
    }

    static let stopSecondsMax = 300

    let home: ClusterHome
    let binaries: PostgresBinaries
    let duty: Duty

    /// Sees to it that a keeper waits. The caller holds `users.lock`, shared.
    func ensure() throws(EmbeddedPostgresError) {
        var lock = try FileLock(path: home.keeperLock)
        guard try lock.tryLock(.exclusive) else { return }
        // The keeper inherits the lock we have just taken, so there is no moment without one or with two.
        let result = try Subprocess.spawn(
            ["/bin/sh", "-c", script, home.path] + home.account.prefix + [
                binaries.path("pg_ctl"), "stop", "-D", "data", "-s", "-w", "-t", "\(Self.stopSecondsMax)",
                "-m", duty.rawValue,
            ], inherited: [9: lock.descriptor])
        guard result.succeeded else { throw .commandFailed("the keeper", reason: result.lastLine) }
        lock.leaveToChild()
    }

    /// `pg_ctl` signals whatever process has the number in `postmaster.pid`, so first we look whether it is the server.
    private var script: String {
        """
        cd "$0" || exit
        (
            exec >/dev/null 2>&1 8>>users.lock
            flock --exclusive 8 || exit
            name="cluster_name=settle-$(stat -c %D-%i data)"
            read -r pid <data/postmaster.pid && grep -qaF "$name" "/proc/$pid/cmdline" && "$@" 9>&-
            \(duty == .stopAndRemove ? #"rm -rf -- "$0""# : ":")
            exec 9>&-
        ) &
        """
    }
}
