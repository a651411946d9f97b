import Foundation
import Testing

@testable import CommandKit

@Suite struct ShellWordTests {
    @Test(arguments: [
        ("BTC/USDT:9001", "BTC/USDT:9001"), ("it's", #"'it'\''s'"#), ("two words", "'two words'"), ("", "''"),
        ("$(rm -rf x)", "'$(rm -rf x)'"), ("a;b", "'a;b'"), ("é", "'é'"), ("*", "'*'"),
    ])
    func `a word is quoted where a shell would not take it as it is`(text: String, quoted: String) {
        #expect(text.shellQuoted == quoted)
    }

    @Test func `a shell reads back what was quoted`() throws {
        for text in ["'", "''", #"\"#, "`id`", "a\"b", "!x", " blank ", "~"] {
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/bin/bash")
            shell.arguments = ["-c", "printf %s \(text.shellQuoted)"]
            let output = Pipe()
            shell.standardOutput = output
            try shell.run()
            let read = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            shell.waitUntilExit()
            #expect(read == text)
        }
    }
}
