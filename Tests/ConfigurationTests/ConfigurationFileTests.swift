import CommandKit
import Foundation
import ServiceKit
import Testing

@testable import Configuration

@Suite struct ConfigurationFileTests {
    @Test func `values come with their lines, in groups or by their whole keys`() {
        let read = file(
            """
            queue:
              capacity: 7
            queue.bytes_max: '12'
            worker: {connection_count: 3}
            letters:
              classes: [full, spent]
            """)
        #expect(read.problems == [])
        #expect(
            read.entries == [
                "queue.capacity": .init(text: "7", line: 2), "queue.bytes_max": .init(text: "12", line: 3),
                "worker.connection_count": .init(text: "3", line: 4),
                "letters.classes": .init(text: "full,spent", line: 6),
            ])
        #expect(read.place(of: "queue.capacity") == "settle.yaml:2")
        #expect(read.place(of: "log.level") == nil)
    }

    @Test(arguments: ["", "# nothing\n", "queue:\n", "worker:\n  connection_count:\nlog: {level: ~}\n", "---\n"])
    func `a file that leaves things empty says nothing of them`(text: String) {
        #expect(file(text).problems == [])
        #expect(file(text).entries == [:])
    }

    @Test(arguments: [
        ("queue:\n  capcity: 5", "2: unknown key 'queue.capcity'. Did you mean 'queue.capacity'?"),
        ("queueCapacity: 5", "1: unknown key 'queueCapacity'. Did you mean 'queue.capacity'?"),
        ("SETTLE_CONNECTIONS: 5", "1: unknown key 'SETTLE_CONNECTIONS'. Did you mean 'worker.connection_count'?"),
        ("capacity: 5", "1: unknown key 'capacity'. Did you mean 'queue.capacity'?"),
        ("log:\n  capacity: 5", "2: unknown key 'log.capacity'. Did you mean 'queue.capacity'?"),
        ("queu:\n  x: 1", "1: unknown key 'queu'. Did you mean 'queue'?"),
        (
            "zebra: 1",
            "1: unknown key 'zebra'; there are 'database', 'letters', 'log', 'queue' and 'worker'"
        ),
        ("queue:\n  zebra: 1", "2: unknown key 'queue.zebra'; 'queue' has 'capacity' and 'bytes_max'"),
        ("queue.capacity.x: 1", "1: unknown key 'queue.capacity.x'. Did you mean 'queue.capacity'?"),
        ("queue:\n  capacity: many", "2: queue.capacity: expected a whole number from 1 to 1000, found 'many'"),
        ("queue: {capacity: 0}", "1: queue.capacity: expected a whole number from 1 to 1000, found '0'"),
        ("queue: {capacity: 1.5}", "1: queue.capacity: expected a whole number from 1 to 1000, found '1.5'"),
        (
            "queue: {capacity: 9223372036854775808}",
            "1: queue.capacity: expected a whole number from 1 to 1000, found '9223372036854775808'"
        ),
        ("queue:\n  capacity:", "2: queue.capacity: expected a whole number from 1 to 1000, found nothing"),
        ("queue:\n  capacity: [1]", "2: queue.capacity: expected a whole number from 1 to 1000, found a list"),
        (
            "queue:\n  capacity:\n    x: 1",
            "2: queue.capacity: expected a whole number from 1 to 1000, found a group of settings"
        ),
        ("log:\n  level: ifno", "2: log.level: expected debug, info or error, found 'ifno'. Did you mean 'info'?"),
        ("letters: {classes: [full, empty]}", "1: letters.classes: expected any of full, spent, found 'full,empty'"),
        (
            "letters: {classes: [fulll]}",
            "1: letters.classes: expected any of full, spent, found 'fulll'. Did you mean 'full'?"
        ),
        ("letters: {classes: [[full]]}", "1: letters.classes: expected any of full, spent, found a list"),
        ("database:\n  url: secret", "2: database.url: expected a URL"),
        (
            "queue: 5",
            "1: 'queue' is a group and takes no value; its settings stand indented below it: 'capacity' and 'bytes_max'"
        ),
        (
            "queue:\n- capacity: 5",
            "1: 'queue' is a group and takes no value; its settings stand indented below it: 'capacity' and 'bytes_max'"
        ),
        ("- queue", "1: expected settings, such as 'queue:' with 'capacity: …' indented below it, found a list"),
        ("queue", "1: expected settings, such as 'queue:' with 'capacity: …' indented below it, found a text"),
        ("[queue]: 1", "1: expected the name of a setting, found a list"),
        ("log:\nqueue:\nlog:", "3: 'log' is set twice, in line 1 too; keep one of them"),
        (
            "queue:\n  capacity: 5\n  capacity: 5",
            "3: 'queue.capacity' is set twice, in line 2 too; keep one of them"
        ),
        (
            "queue.capacity: 5\nqueue:\n  capacity: 5",
            "3: 'queue.capacity' is set twice, in line 1 too; keep one of them"
        ),
        ("queue:\n\tcapacity: 5", "2: lines are indented with spaces, not with tabs"),
        ("queue: &x\n  capacity: 5", "1: anchors (&) are not read here; write the value itself"),
    ])
    func `what is wrong is said with file, line, key and what is expected`(text: String, problem: String) {
        #expect(file(text).problems.map(\.description) == ["settle.yaml:" + problem])
    }

    @Test func `all problems are found, in the order of their lines, up to a bound`() {
        let read = file("zebra: 1\nqueue:\n  capacity: x\n  capcity: 1\nlog: []")
        #expect(read.problems.map(\.line) == [1, 3, 4, 5])
        #expect(read.problems.map(\.key) == ["zebra", "queue.capacity", "queue.capcity", "log"])
        let many = (0..<500).map { "zebra\($0): 1" }.joined(separator: "\n")
        #expect(file(many).problems.count == ConfigurationFile.problemsMax)
    }

    @Test func `a long or strange name is cut in the message`() {
        let description = file(String(repeating: "x", count: 1_000) + ": 1").problems[0].description
        #expect(description.contains("xxx…'") && description.count < 250)
    }

    @Test func `a file that cannot be read says why`() throws {
        let folder = FileManager.default.temporaryDirectory.path
        #expect(throws: FileProblem.self) { try ConfigurationFile(path: folder, settings: sampleSettings) }
        let missing = #expect(throws: FileProblem.self) {
            try ConfigurationFile(path: "\(folder)/there-is-no-such-file.yaml", settings: sampleSettings)
        }
        #expect(missing?.isMissing == true)
        #expect(
            missing?.description
                == "cannot read the configuration file \(folder)/there-is-no-such-file.yaml: no such file")
    }

    @Test func `a file that is too large is refused, however large it is`() throws {
        let endless = try ConfigurationFile(path: "/dev/zero", settings: sampleSettings)
        #expect(endless.problems.map(\.description) == ["/dev/zero:1: it is larger than 262144 bytes"])
    }
}
