import CommandKit
import Foundation
import Glibc

/// Where an export goes: standard output, or a file that appears under its name when it is complete.
final class ExportFile {
    private let output: Output
    private let path: String?
    private let unfinishedPath: String
    private let overwrites: Bool
    private let handle: FileHandle?

    init(_ path: String?, overwrites: Bool, _ output: Output) throws {
        self.output = output
        self.path = path == "-" ? nil : path
        self.overwrites = overwrites
        guard let path = self.path else {
            unfinishedPath = ""
            handle = nil
            return
        }
        // Fails early, before the work; the name is taken in the end only if it is still free.
        if !overwrites, FileManager.default.fileExists(atPath: path) { throw Self.exists(path) }
        unfinishedPath = "\(path).unfinished-\(getpid())"
        let descriptor = open(unfinishedPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileProblem(.write, path) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// What was not finished goes.
    deinit {
        if handle != nil { unlink(unfinishedPath) }
    }

    func write(_ text: String) throws {
        guard let handle, let path else { return try output.write(text) }
        try FileProblem.write(Array(text.utf8), to: handle.fileDescriptor, of: path)
    }

    /// Gives the file its name.
    func finish() throws {
        guard let handle, let path else { return try output.flush() }
        guard fsync(handle.fileDescriptor) == 0 else { throw FileProblem(.write, path) }
        if overwrites {
            guard rename(unfinishedPath, path) == 0 else { throw FileProblem(.write, path) }
        } else if link(unfinishedPath, path) != 0 {
            if errno == EEXIST { throw Self.exists(path) }
            throw FileProblem(.write, path)
        }
    }

    private static func exists(_ path: String) -> CommandFailure {
        CommandFailure("\(path.printable) exists. Give another name, or --force to replace it.")
    }
}
