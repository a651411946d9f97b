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
            let read = try runShell(["/bin/bash", "-c", "printf %s \(text.shellQuoted)"])
            #expect(read == text)
        }
    }
}
