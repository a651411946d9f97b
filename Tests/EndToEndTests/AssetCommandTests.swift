import SettleTesting
import Testing

/// `settle asset` and `settle market`.
@Suite struct AssetCommandTests {
    @Test func `assets are added once and listed`() async throws {
        let database = try TestDatabase()
        let none = try await database.typing("asset list")
        #expect(none.output == "")
        #expect(none.errors == "No assets yet. Add one with 'settle asset add BTC --decimals 8'.\n")
        #expect(try await database.expecting("asset list --json") == "[]\n")
        #expect(try await database.expecting("asset list -o jsonl") == "")

        #expect(try await database.expecting("asset add BTC --decimals 8") == "added asset BTC with 8 decimals\n")
        #expect(try await database.expecting("asset add BTC --decimals 8") == "asset BTC is there already\n")
        let added = try await database.expecting("asset add USDT --decimals 6 -o jsonl")
        #expect(added == "{\"symbol\":\"USDT\",\"decimals\":6,\"added\":true}\n")
        let other = try await database.typing("asset add BTC --decimals 7")
        #expect(other.exitCode == 1)
        #expect(
            other.errors == "settle: asset BTC exists with 8 decimals, not 7; the decimals of an asset do not change\n")

        #expect(try await database.expecting("asset list") == "ASSET  DECIMALS\nBTC           8\nUSDT          6\n")
        #expect(
            try await database.expecting("asset list -o jsonl")
                == "{\"symbol\":\"BTC\",\"decimals\":8}\n{\"symbol\":\"USDT\",\"decimals\":6}\n")
    }

    @Test func `symbols that differ in case are different assets`() async throws {
        let database = try TestDatabase()
        try await database.expecting("asset add BTC --decimals 8")
        #expect(try await database.expecting("asset add btc --decimals 2") == "added asset btc with 2 decimals\n")
    }

    static let badAssets = [
        ["asset", "add", "B C", "--decimals", "8"], ["asset", "add", "", "--decimals", "8"],
        ["asset", "add", "ABCDEFGHIJKLMNOPQ", "--decimals", "8"], ["asset", "add", "ВТС", "--decimals", "8"],
        ["asset", "add", "BTC", "--decimals", "19"], ["asset", "add", "BTC", "--decimals", "-1"],
        ["asset", "add", "BTC", "--decimals", "eight"], ["asset", "add", "BTC"], ["asset", "add", "--decimals", "8"],
        ["asset", "add", "BTC", "--decimals", "8", "extra"], ["asset", "list", "--bogus"],
    ]

    @Test func `a bad asset is a usage error and adds nothing`() async throws {
        let database = try TestDatabase()
        for words in Self.badAssets {
            let result = try await database.running(words)
            #expect(result.exitCode == 64, "\(words)")
            #expect(result.errors.hasSuffix(" --help'.\n"), "\(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 1)
        }
        #expect(try database.value("select count(*) from assets") == "0")
    }

    @Test func `markets are added once, with the terms they keep`() async throws {
        let database = try TestDatabase()
        #expect(try await database.typing("market list").errors.hasPrefix("No markets yet."))
        let missing = try await database.typing("market add BTC/USDT")
        #expect(missing.exitCode == 5)
        #expect(
            missing.errors
                == "settle: there is no asset BTC, nor any other; 'settle asset add BTC --decimals …' adds it\n")
        try await database.expecting("asset add BTC --decimals 8")
        try await database.expecting("asset add USDT --decimals 6")

        let line = "market add BTC-USDT --tick 0.01 --lot 0.0001 --fees quote --price-decimals 2"
        #expect(try await database.expecting(line) == "added market BTC/USDT, fees quote\n")
        #expect(try await database.expecting(line) == "market BTC/USDT is there already\n")
        for other in [
            "--tick 0.02 --lot 0.0001 --fees quote --price-decimals 2",
            "--tick 0.01 --lot 0.001 --fees quote --price-decimals 2",
            "--tick 0.01 --lot 0.0001 --fees received --price-decimals 2",
            "--tick 0.01 --lot 0.0001 --fees quote --price-decimals 3", "",
        ] {
            let result = try await database.typing("market add BTC_USDT \(other)")
            #expect(result.exitCode == 1, "\(other)")
            #expect(result.errors.contains("terms of a market do not change"))
        }
        #expect(
            try await database.expecting("market list")
                == "MARKET    PRICE DECIMALS  TICK     LOT  FEES   STATE\nBTC/USDT               2  0.01  0.0001  quote  open\n"
        )
        #expect(
            try await database.expecting("market list -o jsonl") == """
                {"symbol":"BTC/USDT","base":"BTC","quote":"USDT","price_decimals":2,"fees":"quote",\
                "tick":"0.01","lot":"0.0001","halted":false,\
                "halted_since":null,"halted_by":null,"halted_reason":null}

                """)
    }

    static let badMarkets = [
        "BTCUSDT", "BTC/BTC", "BTC/USDT/EUR", "/USDT", "BTC/USDT --fees both", "BTC/USDT --tick 0",
        "BTC/USDT --tick -1",
        "BTC/USDT --tick 1e5", "BTC/USDT --price-decimals 19", "BTC/USDT --tick 0.001 --price-decimals 2",
        "BTC/USDT --lot 0.000000001", "BTC/USDT --tick 0.0000000000000000001",
    ]

    @Test func `a bad market is a usage error and adds nothing`() async throws {
        let database = try TestDatabase()
        try await database.expecting("asset add BTC --decimals 8")
        try await database.expecting("asset add USDT --decimals 6")
        #expect(
            try await database.typing("market add BTC/BTC").errors.contains(
                "a market is two different assets, such as BTC/USDT"))
        let alike = try await database.typing("asset add Usdt --decimals 6 --dry-run")
        #expect(alike.errors.hasPrefix("USDT is there too, and is another asset than Usdt\n"), "\(alike.errors)")
        let near = try await database.typing("market add btc/USDTT")
        #expect(near.exitCode == 5)
        #expect(
            near.errors
                == "settle: there is no asset btc. Did you mean 'BTC'? 'settle asset list' shows those there are\n")
        for words in Self.badMarkets {
            #expect(try await database.typing("market add \(words)").exitCode == 64, "\(words)")
        }
        #expect(try database.value("select count(*) from markets") == "0")
    }

    @Test func `a dry run of asset and market changes nothing`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let before = try database.contents()
        #expect(
            try await database.expecting("asset add EUR --decimals 2 --dry-run")
                == "would add asset EUR with 2 decimals\n")
        #expect(
            try await database.expecting("asset add EUR --decimals 2 --dry-run --json").contains("\"would_add\": true"))
        #expect(try await database.typing("asset add BTC --decimals 2 --dry-run").exitCode == 1)
        try await database.expecting("asset add BTC --decimals 8 --dry-run")
        #expect(
            try await database.expecting("market add USDT/BTC --dry-run")
                == "would add market USDT/BTC, fees received\n")
        #expect(try database.contents() == before)
    }
}
