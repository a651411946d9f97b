import Foundation
import Glibc

/// The server of one cluster: knows how to create, start, find and crash it.
///
/// Whoever changes anything holds `start.lock` alone and `users.lock` with the other users. So there is one starter at
/// a time, and none while a keeper stops the server.
struct Server: Sendable {
    static let startSecondsMax = 300
    static let serverLogBytesMax = 10_000_000
    /// Backends of a killed server may live a little longer, and keep a new one from starting.
    static let orphanSecondsMax = 15

    let home: ClusterHome
    let settings: ServerSettings
    let binaries: PostgresBinaries
    let keeper: Keeper
    let log: @Sendable (String) -> Void

    init(
        home: ClusterHome, settings: ServerSettings, duty: Keeper.Duty, log: @escaping @Sendable (String) -> Void
    ) throws(EmbeddedPostgresError) {
        let version = try? String(contentsOfFile: "\(home.data)/PG_VERSION", encoding: .utf8)
        self.home = home
        self.settings = settings
        self.log = log
        binaries = try PostgresBinaries.find(major: version?.trimmingCharacters(in: .whitespacesAndNewlines))
        keeper = Keeper(home: home, binaries: binaries, duty: duty)
        for tool in ["flock"] + home.account.prefix.prefix(1) {
            let found = try Subprocess.run([tool, "--version"], in: "/")
            guard found.succeeded else { throw .toolMissing(tool, package: "util-linux") }
        }
    }

    /// Makes us a user of the running server; the lock that comes back is the proof.
    func join() throws(EmbeddedPostgresError) -> FileLock {
        let starting = try waitForTurn()
        let users = try FileLock(path: home.usersLock)
        if try !users.tryLock(.shared) {
            log("waiting for the private PostgreSQL to stop before it is started again")
            try users.lock(.shared)
        }
        // First, so that whatever happens to us from here on, somebody stops the server.
        try keeper.ensure()
        try ensureRunning(held: [starting.descriptor, users.descriptor])
        return users
    }

    /// The same for a caller who is a user already.
    func start() throws(EmbeddedPostgresError) {
        let starting = try waitForTurn()
        try ensureRunning(held: [starting.descriptor])
    }

    func stopImmediately() throws(EmbeddedPostgresError) {
        let starting = try waitForTurn()
        let result = try asServer(
            "pg_ctl", ["stop", "-D", "data", "-s", "-w", "-t", "60", "-m", "immediate"], held: [starting.descriptor])
        guard result.succeeded else { throw .commandFailed("pg_ctl stop", reason: result.lastLine) }
    }

    func state() -> ServerState {
        let pidFile = try? String(contentsOfFile: "\(home.data)/postmaster.pid", encoding: .utf8)
        return ServerState(pidFile: pidFile) { pid in
            // The name is on the server's command line: a process that got the number later does not have it.
            guard let clusterName, let commandLine = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { return false }
            return commandLine.split(separator: 0).contains { $0.elementsEqual("cluster_name=\(clusterName)".utf8) }
        }
    }

    var isStopped: Bool {
        switch state() {
        case .absent, .stale: true
        case .starting, .ready, .stopping: false
        }
    }

    func poll(until timeout: Duration, _ condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + timeout
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(10_000)
        }
        return true
    }

    /// Unlike the path it stays with the data when they are moved; it shows in `ps`, and the keeper makes it too.
    private var clusterName: String? {
        var status = stat()
        guard stat(home.data, &status) == 0 else { return nil }
        return "settle-\(String(status.st_dev, radix: 16))-\(status.st_ino)"
    }

    private func waitForTurn() throws(EmbeddedPostgresError) -> FileLock {
        let lock = try FileLock(path: home.startLock)
        if try !lock.tryLock(.exclusive) {
            log("waiting for another process that is starting the private PostgreSQL")
            try lock.lock(.exclusive)
        }
        return lock
    }

    private func ensureRunning(held: [Int32]) throws(EmbeddedPostgresError) {
        let deadline = ContinuousClock.now + .seconds(Self.startSecondsMax)
        while ContinuousClock.now < deadline {
            switch state() {
            case .ready:
                return try ensureDatabase(held: held)
            case .starting, .stopping:
                usleep(20_000)
            case .absent, .stale:
                if access(home.data, F_OK) != 0 { try create(held: held) }
                try launch(held: held)
            }
        }
        throw .startFailed(
            reason: "it was not ready after \(Self.startSecondsMax) seconds", log: home.serverLog)
    }

    /// `initdb` under another name first: what is there under the right one is whole.
    private func create(held: [Int32]) throws(EmbeddedPostgresError) {
        log("creating a private PostgreSQL cluster in \(home.path)")
        removeUnfinished()
        let unfinished = "data.new.\(getpid())"
        let path = "\(home.path)/\(unfinished)"
        try ClusterHome.makePrivate(path, mode: 0o700, user: home.account.user, group: home.account.group)
        let result = try asServer(
            "initdb",
            [
                "-D", unfinished, "-U", EmbeddedCluster.name, "-E", "UTF8", "--locale=C", "-A", "trust",
                "--data-checksums", "--no-instructions",
            ] + (settings.durable ? [] : ["--no-sync"]), held: held)
        guard result.succeeded else {
            removeUnfinished()
            throw .creationFailed(reason: result.lastLine)
        }
        try append("include '../settle.conf'\n", to: "\(path)/postgresql.conf")
        guard rename(path, home.data) == 0 else { throw .system(home.data, "make") }
    }

    private func removeUnfinished() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: home.path)) ?? []
        for name in names where name.hasPrefix("data.new.") {
            try? FileManager.default.removeItem(atPath: "\(home.path)/\(name)")
        }
    }

    private func launch(held: [Int32]) throws(EmbeddedPostgresError) {
        let giveUp = ContinuousClock.now + .seconds(Self.orphanSecondsMax)
        unlink(home.databaseMark)
        removeStaleFiles()
        try writeSettings()
        let logStart = try openServerLog()
        while true {
            let result = try asServer(
                "pg_ctl",
                [
                    "start", "-D", "data", "-l", "server.log", "-s", "-w", "-t", "\(Self.startSecondsMax)",
                    "-o", "-c cluster_name=\(clusterName ?? EmbeddedCluster.name)",
                ], held: held)
            if result.succeeded { return }
            let reason = lastFatalLine(from: logStart) ?? result.lastLine
            guard reason.contains("shared memory block"), ContinuousClock.now < giveUp else {
                throw .startFailed(reason: reason, log: home.serverLog)
            }
            usleep(100_000)
        }
    }

    /// PostgreSQL refuses to start if a process of the same user has the number in a lock file that a power cut left.
    /// No server of ours runs here: we hold `start.lock`, and looked.
    private func removeStaleFiles() {
        if state() == .stale { unlink("\(home.data)/postmaster.pid") }
        let socket = "\(home.socketDirectory)/.s.PGSQL.\(ClusterHome.port)"
        unlink(socket)
        unlink("\(socket).lock")
    }

    private func writeSettings() throws(EmbeddedPostgresError) {
        let path = "\(home.path)/settle.conf"
        let text = settings.file(socketDirectory: home.socketDirectory)
        do {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw .fileSystem(path: path, doing: "write", reason: error.localizedDescription)
        }
        chmod(path, 0o644)
    }

    /// Gives the place in the log where this start begins.
    private func openServerLog() throws(EmbeddedPostgresError) -> Int {
        var status = stat()
        if lstat(home.serverLog, &status) == 0, status.st_size > Self.serverLogBytesMax {
            rename(home.serverLog, "\(home.serverLog).1")
        }
        try append("", to: home.serverLog)
        guard lchown(home.serverLog, home.account.user, home.account.group) == 0,
            lstat(home.serverLog, &status) == 0
        else { throw .system(home.serverLog, "hand over") }
        return Int(status.st_size)
    }

    private func append(_ text: String, to path: String) throws(EmbeddedPostgresError) {
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .system(path, "write") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard write(file, bytes, bytes.count) == bytes.count else { throw .system(path, "write") }
    }

    private func lastFatalLine(from start: Int) -> String? {
        guard let file = FileHandle(forReadingAtPath: home.serverLog) else { return nil }
        defer { try? file.close() }
        try? file.seek(toOffset: UInt64(start))
        let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
        let line = text.split(separator: "\n").last { $0.contains("FATAL:") || $0.contains("PANIC:") }
        return line.flatMap { line in
            ["FATAL:", "PANIC:"].compactMap { line.range(of: $0) }.first.map {
                line[$0.upperBound...].trimmingCharacters(in: .whitespaces)
            }
        }
    }

    /// Not while creating: a user may have dropped the database to begin anew.
    private func ensureDatabase(held: [Int32]) throws(EmbeddedPostgresError) {
        if access(home.databaseMark, F_OK) == 0 { return }
        let name = EmbeddedCluster.name
        if try query("SELECT 1 FROM pg_database WHERE datname = '\(name)'", held: held) != "1" {
            _ = try query("CREATE DATABASE \(name)", held: held)
        }
        try append("", to: home.databaseMark)
    }

    private func query(_ statement: String, held: [Int32]) throws(EmbeddedPostgresError) -> String {
        let result = try Subprocess.run(
            [
                binaries.path("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", home.socketDirectory,
                "-p", "\(ClusterHome.port)", "-U", EmbeddedCluster.name, "-d", "postgres", "-c", statement,
            ], in: home.path, held: held)
        guard result.succeeded else { throw .commandFailed("psql", reason: result.lastLine) }
        return result.output
    }

    private func asServer(_ program: String, _ arguments: [String], held: [Int32])
        throws(EmbeddedPostgresError) -> Subprocess.Result
    {
        try Subprocess.run(home.account.prefix + [binaries.path(program)] + arguments, in: home.path, held: held)
    }
}
