import Foundation
import ServiceKit
import Synchronization

/// The real binary, run as its users run it.
public final class Program: Sendable {
    /// What a finished run left behind.
    public struct Result: Sendable {
        public let termination: ChildProcess.Termination
        public let output: String
        public let errors: String

        public var exitCode: Int32 { termination.shellStatus }
        /// Whether a signal ended it.
        public var wasKilled: Bool { if case .killed = termination { true } else { false } }
        public var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// `settle`, where the build put it: beside the tests, unless another build is to be tested.
    public static let path: String = {
        if let path = ProcessInfo.processInfo.environment["SETTLE_TESTED_PROGRAM"] { return path }
        let products =
            Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
            ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return products.deletingLastPathComponent().appendingPathComponent("settle").path
    }()

    private let process: ChildProcess
    private let output: Capture
    private let errors: Capture

    /// Starts the program. The environment is this process's without any database in it, and with what is given.
    public convenience init(
        _ arguments: [String], environment: [String: String] = [:], directory: String? = nil, input text: String? = nil
    ) throws {
        try self.init(
            executable: Self.path, arguments, wholeEnvironment: Self.environment(environment), directory: directory,
            input: text)
    }

    /// Starts another program: a shell, for what a person would type. It is waited for without holding a thread.
    public init(
        executable: String, _ arguments: [String], wholeEnvironment: [String: String], directory: String? = nil,
        input text: String? = nil
    ) throws {
        let (input, output, errors) = try (ChildProcess.pipe(), ChildProcess.pipe(), ChildProcess.pipe())
        process = try ChildProcess(
            [executable] + arguments, environment: wholeEnvironment, directory: directory,
            descriptors: [
                0: input.reading.fileDescriptor, 1: output.writing.fileDescriptor, 2: errors.writing.fileDescriptor,
            ])
        for theirs in [input.reading, output.writing, errors.writing] { try theirs.close() }
        self.output = Capture(output.reading)
        self.errors = Capture(errors.reading)
        // From another thread, since a pipe holds only so much.
        DispatchQueue.global().async {
            if let text { try? input.writing.write(contentsOf: Data(text.utf8)) }
            try? input.writing.close()
        }
    }

    /// This process's environment without any database in it, and with what is given.
    static func environment(_ given: [String: String]) -> [String: String] {
        var inherited = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("PG") && !name.hasPrefix("SETTLE_") && name != "DATABASE_URL"
        }
        inherited["SETTLE_MIGRATIONS"] = migrationsDirectory
        return inherited.merging(given) { $1 }
    }

    /// A test that fails leaves no process behind.
    deinit {
        process.signal(SIGKILL)
    }

    public var processID: Int32 { process.processID }
    public var isRunning: Bool { process.isRunning }

    public func signal(_ number: Int32) {
        process.signal(number)
    }

    /// Waits until the program has ended; kills it when it takes longer than the timeout.
    @discardableResult
    public func wait(timeout: Duration = .seconds(60)) async -> Result {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let end = process.termination {
                return Result(termination: end, output: output.finish(), errors: errors.finish())
            }
            if ContinuousClock.now > deadline { process.signal(SIGKILL) }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until the program has written a text to stderr (its log) or stdout, or that many times; false when it
    /// ends or time is over.
    public func waitFor(_ text: String, times: Int = 1, timeout: Duration = .seconds(60)) async -> Bool {
        func isThere() -> Bool { occurrences(of: text) >= times }
        let deadline = ContinuousClock.now + timeout
        while ContinuousClock.now < deadline {
            if isThere() { return true }
            if !process.isRunning { return isThere() }
            try? await Task.sleep(for: .milliseconds(5))
        }
        // On a busy machine the deadline may have passed in one long pause.
        return isThere()
    }

    /// How often the program has written a text so far.
    public func occurrences(of text: String) -> Int {
        errors.text.ranges(of: text).count + output.text.ranges(of: text).count
    }

    /// What was written to stderr so far.
    public var errorsSoFar: String { errors.text }
    /// What was written to stdout so far.
    public var outputSoFar: String { output.text }

    /// Runs the program to its end.
    public static func run(
        _ arguments: String..., environment: [String: String] = [:], directory: String? = nil, input: String? = nil,
        timeout: Duration = .seconds(60)
    ) async throws -> Result {
        try await Program(arguments, environment: environment, directory: directory, input: input)
            .wait(timeout: timeout)
    }

    /// Runs the program on a database.
    public static func run(
        on database: TestDatabase, _ arguments: String..., environment: [String: String] = [:], input: String? = nil,
        timeout: Duration = .seconds(60)
    ) async throws -> Result {
        try await Program(
            arguments, environment: environment.merging(["DATABASE_URL": database.connectionString]) { $1 },
            input: input
        ).wait(timeout: timeout)
    }
}

/// What a child writes, read as it comes.
private final class Capture: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    private let ended = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        Thread.detachNewThread { [self] in
            // Not `read(upToCount:)`, which waits until it has so many.
            while true {
                let chunk = handle.availableData
                guard !chunk.isEmpty else { break }
                bytes.withLock { $0 += chunk }
            }
            ended.signal()
        }
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func finish() -> String {
        _ = ended.wait(timeout: .now() + 5)
        return text
    }
}
