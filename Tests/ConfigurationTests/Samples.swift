import ServiceKit

@testable import Configuration

/// Settings of every kind.
let sampleSettings = [
    Setting("queue.capacity", .number(1...1_000), default: "100", reloadable: true, "How many wait."),
    Setting("queue.bytes_max", .number(10...20), default: "15", "How many bytes wait."),
    Setting("worker.connection_count", variable: "SETTLE_CONNECTIONS", .number(1...9), default: nil, "How many."),
    Setting("log.level", .choice(["debug", "info", "error"]), default: nil, remark: "info", "What is logged."),
    Setting("letters.classes", .choices(["full", "spent"]), default: "", "Which ones."),
    Setting(
        "database.url", variable: "DATABASE_URL", .text(expected: "a URL", isValid: { $0.contains("://") }),
        default: nil, secret: true, "Where."),
]

func file(_ text: String) -> ConfigurationFile {
    ConfigurationFile(path: "settle.yaml", bytes: Array(text.utf8), settings: sampleSettings)
}
