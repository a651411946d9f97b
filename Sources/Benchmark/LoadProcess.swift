import Foundation
import ServiceKit

/// Another process of this program that settles a load: asked and answering in lines of JSON over its pipes.
final class LoadProcess: Loader {
    /// Set for the processes that another one starts.
    public static let variable = "SETTLE_BENCH_PROCESS"

    fileprivate struct Setup: Codable {
        var connectionString: String
        var version: String
    }

    fileprivate struct Question: Codable {
        var request: LoadRequest
        var aloneCount: Int?
    }

    fileprivate enum Answer: Codable {
        case progress(Int)
        case figures(LoadFigures)
        case latencies(LatencyCounts)
        case failed(String)
    }

    private let process: ChildProcess
    private let input: FileHandle
    private let output: FileHandle
    private let unread = Guarded<[UInt8]>([])

    /// Starts the process; its limits go by its environment.
    init(connectionString: String, limits: Limits, version: String) throws {
        var environment = ProcessInfo.processInfo.environment
        environment[Self.variable] = "1"
        for limit in Limits.settings { environment[limit.setting.variable] = limit.text(limits) }
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        let (questions, answers) = try (ChildProcess.pipe(), ChildProcess.pipe())
        process = try ChildProcess(
            [program, "bench"], environment: environment,
            descriptors: [
                0: questions.reading.fileDescriptor, 1: answers.writing.fileDescriptor,
                2: FileHandle.standardError.fileDescriptor,
            ])
        for theirs in [questions.reading, answers.writing] { try theirs.close() }
        (input, output) = (questions.writing, answers.reading)
        try write(Setup(connectionString: connectionString, version: version))
    }

    func measure(
        _ request: LoadRequest, progress: @escaping @Sendable (Int) -> Void
    ) async throws -> LoadFigures {
        try write(Question(request: request))
        while true {
            switch try await answer() {
            case .progress(let settled): progress(settled)
            case .figures(let figures): return figures
            case .failed(let reason): throw BenchmarkError(reason)
            case .latencies: throw BenchmarkError("a process of the benchmark answered something else")
            }
        }
    }

    func measureAlone(_ count: Int, _ request: LoadRequest) async throws -> LatencyCounts {
        try write(Question(request: request, aloneCount: count))
        while true {
            switch try await answer() {
            case .latencies(let latencies): return latencies
            case .failed(let reason): throw BenchmarkError(reason)
            case .progress, .figures: continue
            }
        }
    }

    /// The end of its input is the end of its work.
    func stop() async {
        try? input.close()
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [process] in
                process.wait()
                continuation.resume()
            }
        }
    }

    private func write(_ value: some Encodable) throws {
        try input.write(contentsOf: try JSONEncoder().encode(value) + [UInt8(ascii: "\n")])
    }

    private func answer() async throws -> Answer {
        let handle = output
        let line: [UInt8]? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { [unread] in
                    continuation.resume(returning: unread.withLock { Self.line(from: handle, &$0) })
                }
            }
        } onCancel: {
            // It stops as at the end of its input, and we see the end of its output.
            try? input.close()
        }
        try Task.checkCancellation()
        guard let line else { throw BenchmarkError("a process of the benchmark has ended") }
        return try JSONDecoder().decode(Answer.self, from: Data(line))
    }

    /// The next line without its end; nil at the end of the input.
    fileprivate static func line(from handle: FileHandle, _ unread: inout [UInt8]) -> [UInt8]? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeSubrange(...end) }
                return Array(unread[..<end])
            }
            let more = handle.availableData
            if more.isEmpty { return nil }
            unread += more
        }
    }
}

/// The other side: what a process does that another one has started for a benchmark.
public enum LoadService {
    public static let variable = LoadProcess.variable

    /// Answers questions from standard input until it ends.
    public static func run(limits: Limits) async throws {
        let questions = AsyncStream<[UInt8]> { continuation in
            Thread.detachNewThread {
                var unread: [UInt8] = []
                while let line = LoadProcess.line(from: .standardInput, &unread) { continuation.yield(line) }
                continuation.finish()
            }
        }
        let output = FileHandle.standardOutput
        let writing = Guarded(())
        @Sendable func answer(_ value: LoadProcess.Answer) {
            guard let bytes = try? JSONEncoder().encode(value) else { return }
            writing.withLock { _ in try? output.write(contentsOf: bytes + [UInt8(ascii: "\n")]) }
        }
        var load: SettlementLoad?
        // A question is answered beside the reading, so that the end of the input ends that too.
        var work: Task<Void, Never>?
        for await line in questions {
            guard let ready = load else {
                let setup = try JSONDecoder().decode(LoadProcess.Setup.self, from: Data(line))
                load = try SettlementLoad(
                    connectionString: setup.connectionString, limits: limits, version: setup.version)
                continue
            }
            let question = try JSONDecoder().decode(LoadProcess.Question.self, from: Data(line))
            await work?.value
            work = Task {
                do {
                    if let count = question.aloneCount {
                        answer(.latencies(try await ready.measureAlone(count, question.request)))
                    } else {
                        answer(.figures(try await ready.measure(question.request) { answer(.progress($0)) }))
                    }
                } catch {
                    answer(.failed("\(error)"))
                }
            }
        }
        work?.cancel()
        await work?.value
        await load?.stop()
    }
}
