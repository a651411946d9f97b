import Testing

@testable import CommandKit

/// The page of all commands, and what stands on no page.
@Suite struct PageTests {
    @Test func `the page has every command with its usage, parameters and examples`() {
        let page = Warehouse.tree.page
        for expected in [
            "# The command line\n", "| 64 | the command line itself is wrong", "\n## Trouble\n\n### `depot fail`\n",
            "\n### `depot parcel`\n\nLook after parcels.\n\n#### `depot parcel list`\n",
            "```text\ndepot store SHELF [WEIGHT] --id KEY", "```text\n  KEY  stays whole\n```",
            "| `-n, --limit N` | How many at most. (default: 50; environment: DEPOT_LIMIT) |",
            "depot store 17 2.5 --id k-1    # Store 2.5 kilograms on shelf 17.\n", "### `depot completion`",
            "| `--color auto\\|always\\|never` |",
        ] {
            #expect(page.contains(expected), "\(expected)")
        }
        #expect(page.hasSuffix("```\n"))
    }

    @Test func `a hidden command runs, and nothing speaks of it`() async {
        #expect(await depot("count-everything").out == "everything\n")
        #expect(await depot("count-everything", "-h").out.contains("Usage: depot count-everything"))
        #expect(!Warehouse.tree.page.contains("count-everything"))
        #expect(await !depot("--help").out.contains("count-everything"))
        #expect(!Warehouse.tree.completions(of: [""]).contains { $0.hasPrefix("count") })
        #expect(await depot("count-everythin").err == "depot: unknown command 'count-everythin'. Try 'depot --help'.\n")
    }

    @Test(arguments: [(0, "0 lines"), (1, "1 line"), (2, "2 lines"), (12_000, "12,000 lines")])
    func `one is singular, all else is plural`(count: Int, text: String) {
        #expect(count.counted("line") == text)
        #expect(count.counted("line was", plural: "lines were") == text + (count == 1 ? " was" : " were"))
    }
}
