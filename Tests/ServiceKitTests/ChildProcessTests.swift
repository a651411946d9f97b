import Foundation
import Glibc
import Testing

@testable import ServiceKit

@Suite struct ChildProcessTests {
    private func shell(_ script: String, descriptors: [Int32: Int32] = [:], directory: String? = nil) throws
        -> ChildProcess
    {
        try ChildProcess(
            ["/bin/sh", "-c", script], environment: ["PATH": "/usr/bin:/bin", "GREETING": "good day"],
            directory: directory, descriptors: descriptors)
    }

    private func output(_ script: String, directory: String? = nil) throws -> String {
        let pipe = try ChildProcess.pipe()
        let child = try shell(script, descriptors: [1: pipe.writing.fileDescriptor], directory: directory)
        try pipe.writing.close()
        let text = String(decoding: pipe.reading.readDataToEndOfFile(), as: UTF8.self)
        child.wait()
        return text
    }

    @Test func `an end is an exit status or a signal`() throws {
        #expect(try shell("exit 7").wait() == .exited(7))
        #expect(try shell("kill -KILL $$").wait() == .killed(signal: SIGKILL))
        #expect(try shell("kill -TERM $$").wait().shellStatus == 143)
        #expect(throws: ChildProcessError.self) { try ChildProcess(["/no/such/program"], environment: [:]) }
    }

    @Test func `it has its own environment, folder and streams, and nothing else of ours`() throws {
        #expect(try output("echo $GREETING; env | wc -l", directory: "/usr").hasPrefix("good day\n"))
        #expect(try output("pwd; cat; readlink /proc/self/fd/2", directory: "/usr") == "/usr\n/dev/null\n")
        // One that is not closed by itself in a child.
        let open = dup(0)
        defer { close(open) }
        #expect(try output("exec ls /proc/self/fd").split(separator: "\n") == ["0", "1", "2", "3"])
    }

    @Test func `a signal ends it, and none is sent once it has ended`() throws {
        let child = try shell("exec sleep 300")
        #expect(child.isRunning)
        child.signal(SIGTERM)
        #expect(child.wait() == .killed(signal: SIGTERM))
        child.signal(SIGKILL)
        #expect(child.termination == .killed(signal: SIGTERM))
    }

    @Test func `of many started at once each is seen to end while the others run`() async throws {
        // Each ends with its input. Were one's input held open by another, it would not end before that one.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<20 {
                        let pairs = try (0..<3).map { _ in
                            let pipe = try ChildProcess.pipe()
                            let child = try shell("cat", descriptors: [0: pipe.reading.fileDescriptor])
                            try pipe.reading.close()
                            return (child, pipe.writing)
                        }
                        for (child, input) in pairs {
                            try input.close()
                            let deadline = ContinuousClock.now + .seconds(30)
                            while child.isRunning, ContinuousClock.now < deadline {
                                try await Task.sleep(for: .milliseconds(1))
                            }
                            try #require(child.termination == .exited(0))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
