import Testing

@Suite("Help")
struct HelpTests {
    @Test("a command's help shows its usage, groups, defaults, variables and examples")
    func command() async {
        let run = await depot("store", "--help")
        #expect(run.code == .ok)
        #expect(run.err == "")
        #expect(
            run.out == """
                Take a parcel into the house.

                Usage: depot store SHELF [WEIGHT] --id KEY [options]

                The same KEY stores only once, however often the command is repeated.
                  KEY  stays whole

                Arguments:
                  SHELF   Where it goes.
                  WEIGHT  What it weighs.

                Options:
                      --id KEY      What makes it the same parcel. (required)
                  -n, --limit N     How many at most. (default: 50; environment: DEPOT_LIMIT)
                      --label TEXT  What is written on it. (may be repeated; environment:
                                    DEPOT_LABELS)
                      --wait-for-somebody-to-sign-it DURATION
                                    How long to wait until somebody has signed for it at the
                                    door. (default: 30s)
                  -y, --yes         Do not ask.

                \(globalOptions)
                  -h, --help                     Show help.

                Examples:
                  Store 2.5 kilograms on shelf 17.
                    depot store 17 2.5 --id k-1

                  Store on the shelf called -x.
                    depot store --id k-2 -- -x

                """)
    }

    @Test("the program's help lists its commands under their headings")
    func root() async {
        let expected = """
            Keeps parcels.

            Usage: depot COMMAND [options]

            Commands:
              store   Take a parcel into the house.
              parcel  Look after parcels.

            Trouble:
              fail  Fail in some way.

            Other commands:
              completion  Print the script that teaches a shell to complete commands.

            \(globalOptions)
                  --version                  Show the version.
              -h, --help                     Show help.

            'depot help COMMAND' tells more of a command.

            """
        #expect(await depot("--help").out == expected)
        #expect(await depot("help").out == expected)
        #expect(await depot().out == expected)
        #expect(await depot().code == .ok)
    }

    @Test("values that are few are listed, and groups of options have their heading")
    func filters() async {
        let help = await depot("help", "parcel", "list").out
        #expect(
            help.contains(
                """
                Filters:
                      --kind KIND   Only parcels of this kind. (one of: damaged, missing, late)
                      --since TIME  Only parcels from then on.

                Options:
                      --limit N  How many at most. (default: 50)

                """))
    }

    @Test("help is given whatever else is wrong, and by every way of asking")
    func waysOfAsking() async {
        let expected = await depot("parcel", "list", "--help").out
        for words in [["parcel", "list", "-h"], ["help", "parcel", "list"], ["parcel", "help", "list"]] {
            #expect(await depot(words).out == expected)
        }
        #expect(await depot("parcel", "list", "--nonsense", "x", "--help").out == expected)
        #expect(await depot("parcel", "--help").out.contains("Usage: depot parcel COMMAND"))
    }

    @Test("help wraps to the terminal, and is never wider than a hundred columns", arguments: [40, 60, 300])
    func wraps(width: Int) async {
        let help = await depot("store", "--help", width: width).out
        let widest = help.split(separator: "\n").map(\.count).max() ?? 0
        #expect(widest <= min(width, 100) || width == 40)
        #expect(width != 300 || widest > 80)
        #expect(width != 40 || help.contains("The same KEY stores only once, however\noften the command is repeated."))
    }

    @Test("the version has a line")
    func version() async {
        let run = await depot("--version")
        #expect(run.out == "depot 1.2 (abc)\n")
        #expect(run.code == .ok)
    }

    private let globalOptions = """
        Global options:
              --database-url URL         The database to work on. (environment:
                                         DATABASE_URL)
          -o, --output text|json|jsonl   How results are written. (default: text)
              --json                     Short for -o json.
              --color auto|always|never  When to use colour; auto also heeds NO_COLOR.
                                         (default: auto)
          -v, --verbose                  Show the detail behind an error.
        """
}
