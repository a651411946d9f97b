import Testing

@testable import EmbeddedPostgres

@Suite struct ServerStateTests {
    static func pidFile(_ status: String) -> String {
        "321\n/data\n1767225600\n5432\n/socket\n\n  123  456\n\(status)\n"
    }

    @Test(arguments: [
        ("starting", ServerState.starting), ("ready   ", .ready(pid: 321)), ("stopping", .stopping),
    ])
    func `the status of a living server is read`(status: String, expected: ServerState) {
        #expect(ServerState(pidFile: Self.pidFile(status)) { $0 == 321 } == expected)
    }

    @Test func `a server that has not written its status yet is starting`() {
        #expect(ServerState(pidFile: "321\n/data\n") { _ in true } == .starting)
    }

    @Test func `no file is no server`() {
        #expect(ServerState(pidFile: nil) { _ in true } == .absent)
    }

    @Test(arguments: ["", "\n", "x\n", "-1\n", "0\n", pidFile("ready   ")])
    func `a file that names no server is stale`(text: String) {
        #expect(ServerState(pidFile: text) { $0 != 321 } == .stale)
    }
}
