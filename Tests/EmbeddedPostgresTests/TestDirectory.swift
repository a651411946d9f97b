import Foundation
import Glibc
import Testing

@testable import EmbeddedPostgres

/// A directory of one test, gone afterwards with every server in it.
struct TestDirectory: ~Copyable {
    let path: String

    init(named name: String = "\(UInt64.random(in: .min ... .max))") throws {
        path = "/tmp/settle-test-\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // The server's user must get through when the tests run as root.
        chmod(path, 0o755)
    }

    func acquire(_ directory: String = ".settle") throws -> EmbeddedCluster {
        try EmbeddedCluster.acquire(directory: "\(path)/\(directory)", rootParent: "\(path)/var")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension EmbeddedCluster {
    /// What psql prints for a statement; nil if it failed.
    func query(_ statement: String) throws -> String? {
        let result = try Subprocess.run(
            [server.binaries.path("psql"), "-XAtq", "-d", connectionString, "-c", statement], in: "/")
        return result.succeeded ? result.output : nil
    }

    var serverPid: Int32? {
        if case .ready(let pid) = server.state() { pid } else { nil }
    }

    func waitUntilStopped(_ timeout: Duration = .seconds(60)) -> Bool {
        server.poll(until: timeout) { server.isStopped }
    }
}

/// Runs blocking work on threads of its own and gives back what each came to.
func onThreads<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Value) async throws
    -> [Value]
{
    try await withThrowingTaskGroup(of: Value.self) { group in
        for index in 0..<count {
            group.addTask {
                try await withCheckedThrowingContinuation { continuation in
                    Thread.detachNewThread { continuation.resume(with: Result { try body(index) }) }
                }
            }
        }
        return try await group.reduce(into: []) { $0.append($1) }
    }
}
