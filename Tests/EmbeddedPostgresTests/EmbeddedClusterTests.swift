import Foundation
import Glibc
import Testing

@testable import EmbeddedPostgres

@Suite struct EmbeddedClusterTests {
    @Test func `a first user finds a new database, and its data are there after a restart`() throws {
        let directory = try TestDirectory()

        let first = try directory.acquire()
        #expect(
            try first.query("SELECT current_database() || ' ' || current_user || ' ' || getdatabaseencoding()")
                == "settle settle UTF8")
        _ = try first.query("CREATE TABLE kept AS SELECT 42 AS answer")
        #expect(first.releaseAndWaitForStop())

        let second = try directory.acquire()
        #expect(try second.query("SELECT answer FROM kept") == "42")
        #expect(second.releaseAndWaitForStop())
    }

    @Test func `the server keeps what it has acknowledged, and listens on its socket alone`() throws {
        let directory = try TestDirectory()
        let cluster = try directory.acquire()
        let settings = [
            "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "listen_addresses": "",
            "max_connections": "100", "shared_buffers": "256MB", "max_wal_size": "4GB",
            "checkpoint_timeout": "15min", "data_checksums": "on", "TimeZone": "UTC", "lc_collate": "C",
        ]
        for (name, value) in settings {
            #expect(try cluster.query("SHOW \(name)") == value, "\(name)")
        }
        #expect(cluster.releaseAndWaitForStop())
    }

    @Test func `a second user shares the running server, which stops after the last`() throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        let second = try directory.acquire()
        #expect(first.serverPid != nil)
        #expect(first.serverPid == second.serverPid)

        first.release()
        #expect(!second.waitUntilStopped(.milliseconds(500)))
        #expect(try second.query("SELECT 1") == "1")

        #expect(second.releaseAndWaitForStop())
    }

    @Test func `releasing twice is releasing once`() throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        let second = try directory.acquire()
        first.release()
        first.release()
        #expect(!second.waitUntilStopped(.milliseconds(300)))
        #expect(second.releaseAndWaitForStop())
    }

    @Test func `starters at once get one server`() async throws {
        let directory = try TestDirectory()
        let path = directory.path
        let clusters = try await onThreads(4) { _ in
            try EmbeddedCluster.acquire(directory: "\(path)/.settle", rootParent: "\(path)/var")
        }
        #expect(Set(clusters.map(\.serverPid)).count == 1)
        for cluster in clusters { #expect(try cluster.query("SELECT 1") == "1") }
        for cluster in clusters { cluster.release() }
        #expect(clusters[0].waitUntilStopped())
    }

    @Test func `users who come and go all the time always find a server`() async throws {
        let directory = try TestDirectory()
        let path = directory.path
        let answers = try await onThreads(3) { _ in
            try (0..<4).map { _ in
                let cluster = try EmbeddedCluster.acquire(directory: "\(path)/.settle", rootParent: "\(path)/var")
                defer { cluster.release() }
                return try cluster.query("SELECT 1")
            }
        }
        #expect(answers.joined().allSatisfy { $0 == "1" })
        #expect(try directory.acquire().releaseAndWaitForStop())
    }

    @Test func `a user who arrives while the server is being stopped gets it started again`() throws {
        let directory = try TestDirectory()
        for _ in 0..<3 {
            let leaving = try directory.acquire()
            let pid = leaving.serverPid
            leaving.release()
            // The exclusive lock is the keeper's from here until the server has stopped.
            let users = try FileLock(path: leaving.server.home.usersLock)
            while try users.tryLock(.shared) { flock(users.descriptor, LOCK_UN) }
            let arriving = try directory.acquire()
            #expect(try arriving.query("SELECT 1") == "1")
            #expect(arriving.serverPid != pid)
            #expect(arriving.releaseAndWaitForStop())
        }
    }

    @Test func `a user who is killed is a user who left`() async throws {
        let directory = try TestDirectory(named: "killed-\(getpid())")
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let path = "/tmp/settle-test-killed-\(getppid())"
            let cluster = try EmbeddedCluster.acquire(directory: "\(path)/.settle", rootParent: "\(path)/var")
            let pid = try #require(cluster.serverPid)
            try "\(pid)".write(toFile: "\(path)/pid", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let pid = try #require(Int32(String(contentsOfFile: "\(directory.path)/pid", encoding: .utf8)))
        try await eventually { kill(pid, 0) != 0 }
        let next = try directory.acquire()
        let log = try String(contentsOfFile: next.serverLog, encoding: .utf8)
        #expect(!log.contains("was not properly shut down"))
        #expect(next.releaseAndWaitForStop())
    }

    @Test func `a killed user's throw-away cluster is stopped and removed`() async throws {
        let directory = try TestDirectory(named: "killed-throwaway-\(getpid())")
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let note = "/tmp/settle-test-killed-throwaway-\(getppid())/home"
            let cluster = try EmbeddedCluster.throwaway(durable: false)
            try cluster.server.home.path.write(toFile: note, atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let home = try String(contentsOfFile: "\(directory.path)/home", encoding: .utf8)
        #expect(home.hasPrefix("/tmp/settle-throwaway-"))
        try await eventually { access(home, F_OK) != 0 }
    }

    @Test func `a keeper that was killed is replaced`() throws {
        let directory = try TestDirectory()
        let cluster = try directory.acquire()
        try killKeeper(of: cluster)
        #expect(cluster.releaseAndWaitForStop())

        let first = try directory.acquire()
        try killKeeper(of: first)
        let second = try directory.acquire()
        first.release()
        #expect(second.releaseAndWaitForStop())
    }

    @Test func `a crashed server recovers what was committed`() throws {
        let cluster = try EmbeddedCluster.throwaway()
        _ = try cluster.query("CREATE TABLE kept AS SELECT 7 AS answer")
        try cluster.stopImmediately()
        #expect(try cluster.query("SELECT 1") == nil)
        try cluster.start()
        #expect(try cluster.query("SELECT answer FROM kept") == "7")
        cluster.destroy()
    }

    @Test func `a server killed under its users is started by the next one`() throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        _ = try first.query("CREATE TABLE kept AS SELECT 7 AS answer")
        kill(try #require(first.serverPid), SIGKILL)
        #expect(first.waitUntilStopped())
        let second = try directory.acquire()
        #expect(try second.query("SELECT answer FROM kept") == "7")
        first.release()
        #expect(second.releaseAndWaitForStop())
    }

    @Test(arguments: ["", "garbage\n", "the test's own"])
    func `the lock files that a power cut leaves are no obstacle`(pidFile: String) throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        _ = try first.query("CREATE TABLE kept AS SELECT 7 AS answer")
        let stale = try String(contentsOfFile: "\(first.dataDirectory)/postmaster.pid", encoding: .utf8)
        #expect(first.releaseAndWaitForStop())

        // A process of the server's user that has the number now.
        let other = try bystander(of: first)
        defer { kill(other, SIGKILL) }
        let lines = ["\(other)"] + stale.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
        let text = pidFile == "the test's own" ? lines.joined(separator: "\n") : pidFile
        let socketLock = "\(first.server.home.socketDirectory)/.s.PGSQL.5432.lock"
        for path in ["\(first.dataDirectory)/postmaster.pid", socketLock] {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        }

        let second = try directory.acquire()
        #expect(try second.query("SELECT answer FROM kept") == "7")
        #expect(kill(other, 0) == 0)
        #expect(second.releaseAndWaitForStop())
    }

    @Test func `half a cluster is thrown away and made anew`() throws {
        let directory = try TestDirectory()
        let home = try ClusterHome.resolve("\(directory.path)/.settle", rootParent: "\(directory.path)/var")
        let half = "\(home.path)/data.new.1"
        try FileManager.default.createDirectory(atPath: half, withIntermediateDirectories: false)
        try "15\n".write(toFile: "\(half)/PG_VERSION", atomically: true, encoding: .utf8)

        let cluster = try directory.acquire()
        #expect(try cluster.query("SELECT 1") == "1")
        #expect(access(half, F_OK) != 0)
        #expect(cluster.releaseAndWaitForStop())
    }

    @Test func `a dropped database is made anew at the next start`() throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        let result = try Subprocess.run(
            [
                first.server.binaries.path("psql"), "-X", "-d", first.connectionString(database: "postgres"),
                "-c", "DROP DATABASE settle",
            ], in: "/")
        #expect(result.succeeded)
        #expect(first.releaseAndWaitForStop())
        let second = try directory.acquire()
        #expect(try second.query("SELECT 1") == "1")
        #expect(second.releaseAndWaitForStop())
    }

    @Test(arguments: [String(repeating: "long/", count: 30) + ".settle", "it's \"odd\" $HOME, \\ ü/.settle"])
    func `a directory too long or too odd for a socket has it under tmp`(name: String) throws {
        let directory = try TestDirectory()
        let home = "\(directory.path)/\(name)/postgres"
        let socketDirectory = ClusterHome.socketDirectory(forHome: home)
        #expect(socketDirectory.hasPrefix("/tmp/settle-\(geteuid())-"))
        defer { try? FileManager.default.removeItem(atPath: socketDirectory) }

        let cluster = try directory.acquire(name)
        #expect(cluster.server.home.socketDirectory.utf8.count + "/.s.PGSQL.5432".utf8.count <= 107)
        #expect(try cluster.query("SELECT 1") == "1")
        #expect(cluster.releaseAndWaitForStop())
    }

    @Test func `the server gets neither our output nor our descriptors nor our session`() throws {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        let cluster = try EmbeddedCluster.throwaway(durable: false)
        let pid = try #require(cluster.serverPid)
        for process in [pid] + (try keepers(of: cluster)) {
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd")
            let targets = descriptors.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)")
            }
            let ours = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(ends[1])")
            #expect(!targets.contains(ours))
            #expect(!targets.contains(cluster.server.home.startLock))
            #expect(
                process != pid
                    || !targets.contains { $0.hasPrefix(cluster.server.home.path + "/") && $0.hasSuffix(".lock") })
            #expect(getsid(process) != getsid(0))
        }
        close(ends[0])
        close(ends[1])
        cluster.destroy()
    }

    @Test func `a server that cannot start says why and where its log is`() throws {
        let directory = try TestDirectory()
        let first = try directory.acquire()
        #expect(first.releaseAndWaitForStop())
        let configuration = "\(first.dataDirectory)/postgresql.conf"
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        let file = try #require(FileHandle(forWritingAtPath: configuration))
        try file.seekToEnd()
        try file.write(contentsOf: Data("shared_preload_libraries = 'no_such_library'\n".utf8))
        try file.close()

        let error = #expect(throws: EmbeddedPostgresError.self) { try directory.acquire() }
        let line = try #require(error).description
        #expect(line.contains("no_such_library"))
        #expect(line.contains(first.serverLog))
        #expect(!line.contains("\n"))

        try text.write(toFile: configuration, atomically: false, encoding: .utf8)
        #expect(try directory.acquire().releaseAndWaitForStop())
    }

    @Test func `a throw-away cluster leaves nothing behind`() throws {
        let cluster = try EmbeddedCluster.throwaway(durable: false)
        let home = cluster.server.home.path
        #expect(try cluster.query("SHOW fsync") == "off")
        cluster.destroy()
        #expect(access(home, F_OK) != 0)
    }
}

/// The processes that hold `keeper.lock` of the cluster.
private func keepers(of cluster: EmbeddedCluster) throws -> [Int32] {
    let lock = cluster.server.home.keeperLock
    return try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { pid in
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return pid != getpid()
            && descriptors.contains {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")) == lock
            }
    }
}

private func killKeeper(of cluster: EmbeddedCluster) throws {
    let processes = try keepers(of: cluster)
    #expect(!processes.isEmpty)
    for process in processes { kill(process, SIGKILL) }
    #expect(cluster.server.poll(until: .seconds(60)) { (try? keepers(of: cluster).isEmpty) ?? false })
}

/// A process of the server's user that is no server.
private func bystander(of cluster: EmbeddedCluster) throws -> Int32 {
    let script = #""$@" sleep 300 >/dev/null 2>&1 & echo $!"#
    let result = try Subprocess.run(
        ["/bin/sh", "-c", script, "sh"] + cluster.server.home.account.prefix, in: "/")
    return try #require(Int32(result.output))
}

private func eventually(_ condition: () -> Bool) async throws {
    for _ in 0..<3_000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("did not happen within a minute")
}
