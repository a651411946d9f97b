import Foundation
import Glibc
import SettleTesting
import Synchronization

/// Stands between a wallet and the server, counts the requests and can lose the connection at the commit.
final class CutProxy: Sendable {
    enum Cut: CaseIterable {
        /// The commit does not reach the server.
        case beforeCommit
        /// The server commits, and its answer does not come back.
        case afterCommit
    }

    private struct State {
        var cut: Cut?
        var synchronizations = 0
    }

    private let state = Mutex(State())
    private let directory: String
    private let target: String
    private let port: String
    private let listener: Int32

    init(to database: TestDatabase) throws {
        target = try database.connect().address
        port = String(database.connectionString.split(separator: "port='")[1].prefix { $0 != "'" })
        directory = FileManager.default.temporaryDirectory.path + "/cut\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let bound = withAddress("\(directory)/.s.PGSQL.\(port)") { bind(listener, $0, $1) }
        precondition(bound == 0 && listen(listener, 8) == 0)
        Thread.detachNewThread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                Thread.detachNewThread { [self] in serve(client) }
            }
        }
    }

    func connectionString(_ database: TestDatabase) -> String {
        "host='\(directory)' port='\(port)' user=settle dbname='\(database.name)'"
    }

    /// Loses the next connection that commits.
    func cutNext(_ cut: Cut) { state.withLock { $0.cut = cut } }

    /// How often a client asked the server to answer: the number of round trips.
    var synchronizations: Int { state.withLock { $0.synchronizations } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func serve(_ client: Int32) {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(client)
            close(server)
        }
        guard withAddress("\(target)/.s.PGSQL.\(port)", { connect(server, $0, $1) }) == 0 else { return }
        var frames = FrameCounter()
        var sent: [UInt8] = []
        var awaitsCommit = false
        var descriptors = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&descriptors, 2, -1) > 0 {
            if descriptors[0].revents != 0 {
                guard let bytes = received(client) else { return }
                let count = frames.synchronizations(in: bytes)
                sent = Array((sent + bytes).suffix(bytes.count + 16))
                let cut = state.withLock { state -> Cut? in
                    state.synchronizations += count
                    guard contains(sent, "\0commit\0") else { return nil }
                    defer { state.cut = nil }
                    return state.cut
                }
                if cut == .beforeCommit { return }
                if cut == .afterCommit { awaitsCommit = true }
                guard forward(bytes, to: server) else { return }
            }
            if descriptors[1].revents != 0 {
                guard let bytes = received(server) else { return }
                if awaitsCommit {
                    if contains(bytes, "COMMIT\0") { return }
                    continue
                }
                guard forward(bytes, to: client) else { return }
            }
        }
    }
}

/// Counts the Sync messages in what a client sends, however it is cut into pieces.
private struct FrameCounter {
    private var header: [UInt8] = []
    private var toSkip = 0
    private var isStarted = false

    mutating func synchronizations(in bytes: [UInt8]) -> Int {
        var count = 0
        for byte in bytes {
            if toSkip > 0 {
                toSkip -= 1
                continue
            }
            header.append(byte)
            guard header.count == (isStarted ? 5 : 4) else { continue }
            if isStarted, header[0] == UInt8(ascii: "S") { count += 1 }
            toSkip = header.suffix(4).reduce(0) { $0 << 8 | Int($1) } - 4
            isStarted = true
            header = []
        }
        return count
    }
}

private func contains(_ bytes: [UInt8], _ text: String) -> Bool {
    bytes.firstRange(of: Array(text.utf8)) != nil
}

private func received(_ descriptor: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? Array(bytes.prefix(count)) : nil
}

private func forward(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}

private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
