import Foundation
import Repository
import ServiceKit

/// PostgreSQL's own benchmark: the program that came with the server, on tables of its own.
struct Pgbench: Sendable {
    private let program: String
    private let environment: [String: String]
    private static let clientCount = 8

    /// Finds the program of the server's version; nil when there is none on this machine.
    init?(serverMajor: Int, connectionString: String) {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let directories = ["/usr/lib/postgresql/\(serverMajor)/bin"] + path.split(separator: ":").map(String.init)
        guard
            let directory = directories.first(where: { access("\($0)/pgbench", X_OK) == 0 }),
            let target = ConnectionString(connectionString)
        else { return nil }
        program = "\(directory)/pgbench"
        environment = ProcessInfo.processInfo.environment.merging(target.environment) { $1 }
    }

    func prepare(scale: Int) async throws {
        _ = try await run(["-i", "-q", "-s", "\(scale)"])
    }

    /// Transactions a second, of TPC-B with prepared statements.
    func perSecond(seconds: Int) async throws -> Double {
        let output = try await run([
            "-n", "-M", "prepared", "-c", "\(Self.clientCount)", "-j", "2", "-T", "\(seconds)",
        ])
        guard let match = output.firstMatch(of: /tps = (\d+(\.\d+)?)/), let rate = Double(match.1) else {
            throw BenchmarkError("pgbench did not say how fast it was")
        }
        return rate
    }

    private func run(_ arguments: [String]) async throws -> String {
        let output = try ChildProcess.pipe()
        let writing = output.writing.fileDescriptor
        let process = try ChildProcess(
            [program] + arguments, environment: environment, descriptors: [1: writing, 2: writing])
        try output.writing.close()
        let (text, end) = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    let bytes = output.reading.readDataToEndOfFile()
                    continuation.resume(returning: (String(decoding: bytes, as: UTF8.self), process.wait()))
                }
            }
        } onCancel: {
            process.signal(SIGTERM)
        }
        try Task.checkCancellation()
        guard end == .exited(0) else {
            throw BenchmarkError("pgbench failed: \(text.split(separator: "\n").last ?? "no reason given")")
        }
        return text
    }
}
