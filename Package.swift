// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "settle",
    products: [.executable(name: "settle", targets: ["settle"])],
    targets: [
        // C libraries, from Debian: libpq-dev, libzmq3-dev, libxxhash-dev, libyaml-dev, libssl-dev.
        .systemLibrary(name: "CPostgres"),
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "CXXHash"),
        .systemLibrary(name: "CYaml"),
        .systemLibrary(name: "CCrypto"),
        // One line of C, of our own.
        .systemLibrary(name: "CMemory"),

        // Lowest first: a module imports only what stands above it here.
        module("TradeModel"),
        module("ServiceKit", ["TradeModel"]),
        module("HashChain", ["CXXHash"]),
        module("AuditTrail", ["CCrypto", "TradeModel"]),
        module("TradeEngine", ["CMemory", "HashChain", "TradeModel"]),
        module("CommandKit"),
        module("Configuration", ["CYaml", "CommandKit", "ServiceKit"]),
        module("EmbeddedPostgres", ["ServiceKit"]),
        module("Repository", ["AuditTrail", "CPostgres", "CXXHash", "ServiceKit", "TradeModel"]),
        module("TradeFeed", ["CZeroMQ", "HashChain", "ServiceKit", "TradeModel"]),
        module("EngineHost", ["HashChain", "ServiceKit", "TradeEngine", "TradeFeed", "TradeModel"]),
        module("WalletClient", ["Repository", "ServiceKit", "TradeModel"]),
        module("SettlementWorkers", ["Repository", "ServiceKit", "TradeModel", "WalletClient"]),
        module(
            "Benchmark",
            [
                "EngineHost", "Repository", "ServiceKit", "SettlementWorkers", "TradeEngine", "TradeFeed",
                "TradeModel", "WalletClient",
            ]),
        .executableTarget(
            name: "settle",
            dependencies: [
                "AuditTrail", "Benchmark", "CommandKit", "Configuration", "EmbeddedPostgres", "EngineHost",
                "Repository",
                "ServiceKit", "SettlementWorkers", "TradeFeed", "TradeModel", "WalletClient",
            ],
            swiftSettings: strict, plugins: ["NoteCommit"]),
        .plugin(name: "NoteCommit", capability: .buildTool()),

        // What tests share: databases of their own, and the question whether the books are right.
        .target(
            name: "SettleTesting",
            dependencies: ["EmbeddedPostgres", "Repository", "ServiceKit", "TradeModel", "WalletClient"],
            path: "Tests/SettleTesting", swiftSettings: strict),
        tests("AuditTrailTests", ["AuditTrail", "ServiceKit", "TradeModel"]),
        tests("BenchmarkTests", ["Benchmark", "TradeEngine", "TradeFeed", "TradeModel"]),
        tests("CommandKitTests", ["CommandKit", "ServiceKit"]),
        tests("ConfigurationTests", ["Configuration", "ServiceKit"]),
        tests("EmbeddedPostgresTests", ["EmbeddedPostgres"]),
        tests(
            "EndToEndTests",
            [
                "AuditTrail", "CommandKit", "Configuration", "EmbeddedPostgres", "EngineHost", "HashChain",
                "Repository",
                "ServiceKit",
                "SettleTesting",
                "SettlementWorkers", "TradeFeed", "TradeModel", "WalletClient", "settle",
            ]),
        tests(
            "EngineHostTests",
            ["EngineHost", "ServiceKit", "SettleTesting", "TradeEngine", "TradeFeed", "TradeModel"]),
        tests("HashChainTests", ["HashChain"]),
        tests("ServiceKitTests", ["ServiceKit", "TradeModel"]),
        tests(
            "RepositoryTests",
            ["AuditTrail", "Repository", "ServiceKit", "SettleTesting", "TradeModel", "WalletClient"]),
        tests(
            "SettlementWorkersTests", ["Repository", "SettlementWorkers", "ServiceKit", "TradeModel", "WalletClient"]),
        tests("TidyTests", ["SettleTesting", "settle"]),
        tests("TradeEngineTests", ["HashChain", "TradeEngine", "TradeModel"]),
        tests("TradeFeedTests", ["HashChain", "ServiceKit", "TradeFeed", "TradeModel"]),
        tests("TradeModelTests", ["ServiceKit", "TradeModel"]),
        tests("WalletClientTests", ["Repository", "ServiceKit", "SettleTesting", "TradeModel", "WalletClient"]),
    ]
)

// For `make fuzz` alone: libFuzzer brings a main of its own, and everything is built to tell it which way it went.
if Context.environment["SETTLE_FUZZ"] != nil {
    let fuzzer = "FuzzDecoders"
    package.targets.append(
        .executableTarget(
            name: fuzzer, dependencies: ["HashChain", "ServiceKit", "TradeFeed", "TradeModel"],
            path: "Tests/FuzzDecoders", swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
