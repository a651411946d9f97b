import CommandKit
import Glibc
import ServiceKit

/// What a configuration file says, and everything that is wrong with it.
public struct ConfigurationFile: Sendable {
    /// The value of one setting, as a variable would hold it.
    public struct Entry: Sendable, Equatable {
        public var text: String
        public var line: Int
    }

    /// As it was named.
    public let path: String
    /// By the key of the setting. What a file leaves empty is not in it.
    public private(set) var entries: [String: Entry] = [:]
    /// In the order of their lines. A file with problems is not to be used.
    public private(set) var problems: [ConfigurationProblem] = []

    public static let bytesMax = 262_144
    static let depthMax = 16
    /// After so many, the rest is not looked at.
    static let problemsMax = 100

    /// Whether a password stands in it, for everybody on the machine to read.
    public private(set) var exposesPassword = false

    /// Reads a file; throws the reason if that is impossible, with `isMissing` set where there is none.
    public init(path: String, settings: [Setting]) throws(FileProblem) {
        let (bytes, mode) = try Self.contents(of: path)
        self.init(path: path, bytes: bytes, settings: settings)
        exposesPassword =
            mode & S_IROTH != 0
            && settings.contains { $0.isSecret && entries[$0.key].map { Secret.masked($0.text) != $0.text } ?? false }
    }

    init(path: String, bytes: [UInt8], settings: [Setting]) {
        self.path = path
        do {
            guard let root = try YAMLNode.read(bytes, bytesMax: Self.bytesMax, depthMax: Self.depthMax) else { return }
            var walk = ConfigurationWalk(settings: settings)
            walk.visit(root)
            entries = walk.entries
            problems = walk.problems.map { problem in
                var problem = problem
                problem.file = path
                return problem
            }
        } catch {
            problems = [ConfigurationProblem(file: path, line: error.line, message: error.reason)]
        }
    }

    /// Where a setting stands, as messages name it: `settle.yaml:12`.
    public func place(of key: String) -> String? { entries[key].map { "\(path):\($0.line)" } }

    /// At most a byte more than allowed, so that whoever looks sees that it is too large.
    private static func contents(of path: String) throws(FileProblem) -> (bytes: [UInt8], mode: mode_t) {
        // The file may have been named far from the command line, so that its path alone would say too little.
        let name = "the configuration file \(path)"
        let descriptor: Int32
        do { descriptor = try FileProblem.open(path) } catch { throw FileProblem(.read, name, code: error.code) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileProblem(.read, name) }
        return (try FileProblem.read(descriptor, upToCount: bytesMax + 1, of: name), status.st_mode)
    }
}
