import Foundation
import ServiceKit

/// Both streams of a shell that was given a script.
func runShell(_ arguments: [String], standardInput script: String = "") throws -> String {
    let (input, output) = try (ChildProcess.pipe(), ChildProcess.pipe())
    let writing = output.writing.fileDescriptor
    let shell = try ChildProcess(
        arguments, environment: ProcessInfo.processInfo.environment,
        descriptors: [0: input.reading.fileDescriptor, 1: writing, 2: writing])
    for theirs in [input.reading, output.writing] { try theirs.close() }
    try input.writing.write(contentsOf: Data(script.utf8))
    try input.writing.close()
    let text = String(decoding: output.reading.readDataToEndOfFile(), as: UTF8.self)
    shell.wait()
    return text
}
