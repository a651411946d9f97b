import ServiceKit
import Testing

@testable import Configuration

@Suite struct SettingValuesTests {
    @Test func `a flag goes over the environment, that over the file, and that over the default`() {
        let read = file("queue: {capacity: 2, bytes_max: 11}\nlog: {level: debug}\nworker: {connection_count: 4}")
        let values = SettingValues(
            sampleSettings, flags: ["SETTLE_QUEUE_CAPACITY": .init("--queue-size", "9")],
            environment: [
                "SETTLE_QUEUE_CAPACITY": "5", "SETTLE_QUEUE_BYTES_MAX": "12", "SETTLE_LOG_LEVEL": "",
                "DATABASE_URL": "postgres://u:pass@h/db",
            ], file: read)
        #expect(values.all.map(\.text) == ["9", "12", "4", "debug", "", "postgres://u:pass@h/db"])
        #expect(
            values.all.map(\.origin) == [
                .flag("--queue-size"), .environment("SETTLE_QUEUE_BYTES_MAX"), .file("settle.yaml:3"),
                .file("settle.yaml:2"), .default, .environment("DATABASE_URL"),
            ])
        #expect(values["database.url"]?.shown == "postgres://u:********@h/db")
        #expect(values.environment["SETTLE_CONNECTIONS"] == "4")
        #expect(values.problems == [])
    }

    @Test func `without anything the defaults hold`() {
        let values = SettingValues(sampleSettings, flags: [:], environment: [:], file: nil)
        #expect(values.all.map(\.shown) == ["100", "15", "none", "info", "", "none"])
        #expect(
            values.environment.keys.sorted() == [
                "SETTLE_LETTERS_CLASSES", "SETTLE_QUEUE_BYTES_MAX", "SETTLE_QUEUE_CAPACITY",
            ])
    }

    @Test func `variables are checked as well, and a secret is not repeated`() {
        let values = SettingValues(
            sampleSettings, flags: [:],
            environment: ["SETTLE_QUEUE_CAPACITY": "x", "DATABASE_URL": "geheim", "SETTLE_LOG_LEVEL": "loud"], file: nil
        )
        #expect(
            values.problems.map(\.description) == [
                "SETTLE_QUEUE_CAPACITY: expected a whole number from 1 to 1000, found 'x'",
                "SETTLE_LOG_LEVEL: expected debug, info or error, found 'loud'", "DATABASE_URL: expected a URL",
            ])
    }

    @Test func `a running process takes over what is reloadable, and knows what is not`() {
        func values(_ text: String) -> SettingValues {
            SettingValues(sampleSettings, flags: [:], environment: [:], file: file(text))
        }
        let old = values("queue: {capacity: 2}")
        let new = values("queue: {capacity: 3, bytes_max: 11}")
        #expect(old.changes(to: new).map(\.from.setting.key) == ["queue.capacity", "queue.bytes_max"])
        #expect(old.changes(to: new).map(\.to.shown) == ["3", "11"])
        let running = old.reloaded(from: new)
        #expect(running.all.prefix(2).map(\.text) == ["3", "15"])
        #expect(running.changes(to: new).map(\.from.setting.key) == ["queue.bytes_max"])
    }

    @Test(arguments: [
        ("postgres://h/db", "postgres://h/db"), ("postgres://u@h/db", "postgres://u@h/db"),
        ("postgres://u:pass@h:5432/db?sslmode=require", "postgres://u:********@h:5432/db?sslmode=require"),
        ("postgres://u:p@ss@h/db", "postgres://u:********@h/db"),
        ("postgres://u:pa/pass@h/db", "postgres://u:********@h/db"),
        ("postgres://u:pass?pass@h/db", "postgres://u:********@h/db"),
        ("postgres://h/db?user=u&password=pass&x=1", "postgres://h/db?user=u&password=********&x=1"),
        ("postgres://h/db?sslpassword=pass", "postgres://h/db?sslpassword=********"),
        ("postgres://h/db?p%61ssword=pass", "postgres://h/db?********"),
        ("host=h password=pass user=u", "host=h password=******** user=u"),
        ("host=h PASSWORD = 'pa ss\\'pass' user=u", "host=h PASSWORD = ******** user=u"),
        ("password='pass pass", "password=********"), ("password=pa\\ pass user=u", "password=******** user=u"),
        ("settle", "settle"), ("", ""), ("host=/run user=u", "host=/run user=u"),
    ])
    func `passwords in database URLs and keywords are hidden`(text: String, shown: String) {
        #expect(Secret.masked(text) == shown)
        #expect(!Secret.masked(text).replacing("password", with: "").replacing("PASSWORD", with: "").contains("pass"))
    }
}
