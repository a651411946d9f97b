import CommandKit
import Testing

@Suite("Parsing")
struct ParsingTests {
    @Test("no declaration contradicts itself")
    func sound() {
        #expect(Warehouse.tree.declarationProblems == [])
    }

    @Test(
        "an option's value may be spelled in every usual way",
        arguments: [["--limit", "7"], ["--limit=7"], ["-n", "7"], ["-n7"], ["-n=7"], ["-yn7"], ["-yn", "7"]])
    func spellings(words: [String]) async {
        let run = await stored(["a", "--id", "k"] + words)
        #expect(run.out.contains(#""limit":7"#))
        #expect(run.out.contains(#""yes":\#(words[0].hasPrefix("-y"))"#))
    }

    @Test("positional arguments are taken in order, options anywhere between them")
    func positionals() async {
        let run = await stored(["--id", "k", "a", "-y", "2.5"])
        #expect(run.out.contains(#""shelf":"a","weight":"2.5","key":"k""#))
    }

    @Test("what is left out is null, or the default")
    func defaults() async {
        let run = await stored(["a", "--id", "k"])
        #expect(run.out.contains(#""weight":null"#))
        #expect(run.out.contains(#""limit":50,"labels":[],"wait":"30s","yes":false,"database":null"#))
        #expect(run.out.contains(#""limit_from":"default""#))
    }

    @Test("negative numbers, a lone dash and an empty text are values")
    func dashes() async {
        #expect(
            await stored(["a", "-5", "--id", "k", "-n", "-3"]).out.contains(#""weight":"-5","key":"k","limit":-3"#))
        #expect(await stored(["-", "-.5", "--id", "-"]).out.contains(#""shelf":"-","weight":"-.5","key":"-""#))
        #expect(await stored(["", "--id="]).out.contains(#""shelf":"","weight":null,"key":"""#))
    }

    @Test("after -- everything is positional")
    func endOfOptions() async {
        #expect(await stored(["--id", "k", "--", "-y", "--help"]).out.contains(#""shelf":"-y","weight":"--help""#))
    }

    @Test("an option of an array is repeated, keeps its order and may hold '='")
    func repeated() async {
        let run = await stored(["a", "--id", "k", "--label", "x=1", "--label=y=2"])
        #expect(run.out.contains(#""labels":["x=1","y=2"]"#))
    }

    @Test("an argument of an array takes all that is left")
    func repeatingArgument() async {
        #expect(await depot("parcel", "discard", "3", "1", "--yes", "2").out == "discarded 3 1 2\n")
    }

    @Test("global options stand before the command, inside its group, or after it")
    func globals() async {
        let expected = "{\"name\":\"late\"}\n"
        #expect(await depot("-o", "jsonl", "parcel", "list", "--kind", "late").out == expected)
        #expect(await depot("parcel", "--output=jsonl", "list", "--kind", "late").out == expected)
        #expect(await depot("parcel", "list", "--kind", "late", "-ojsonl").out == expected)
    }

    @Test("a flag outranks the environment, the environment outranks the default")
    func precedence() async {
        let environment = ["DEPOT_LIMIT": "8", "DATABASE_URL": "postgres://x", "DEPOT_LABELS": "p,q"]
        let fromEnvironment = await stored(["a", "--id", "k"], environment)
        #expect(fromEnvironment.out.contains(#""limit":8,"labels":["p","q"]"#))
        #expect(fromEnvironment.out.contains(#""database":"postgres://x","limit_from":"environment(\"DEPOT_LIMIT\")""#))
        let fromFlag = await stored(["a", "--id", "k", "--limit", "9", "--label", "z"], environment)
        #expect(fromFlag.out.contains(#""limit":9,"labels":["z"]"#))
        #expect(fromFlag.out.contains(#""limit_from":"commandLine""#))
        #expect(await stored(["a", "--id", "k"], ["DEPOT_LIMIT": ""]).out.contains(#""limit":50"#))
    }

    @Test("what the global options supply stands in for variables that are not set, and for nothing else")
    func supplied() async {
        let book = ["DEPOT_BOOK": "DEPOT_LIMIT=9 DEPOT_LABELS=x,y DATABASE_URL=postgres://book"]
        let run = await stored(["a", "--id", "k"], book)
        #expect(run.out.contains(#""limit":9,"labels":["x","y"]"#))
        #expect(run.out.contains(#""database":"postgres://book","limit_from":"supplied(\"book:1\")""#))
        let over = await stored(["a", "--id", "k", "--label", "z"], book.merging(["DEPOT_LIMIT": "8"]) { $1 })
        #expect(over.out.contains(#""limit":8,"labels":["z"]"#))
        #expect(await stored(["a", "--id", "k"], book.merging(["DEPOT_LIMIT": ""]) { $1 }).out.contains(#""limit":9"#))
    }

    @Test("a bad value that was supplied is refused with its place, and a source that fails ends the command")
    func badSupplies() async {
        let run = await depot("store", "a", "--id", "k", environment: ["DEPOT_BOOK": "DEPOT_LIMIT=many"])
        #expect(run.code == .usage)
        #expect(run.err.hasPrefix("depot: invalid value 'many' in book:1 for '--limit': expected a whole number."))
        let torn = await depot("store", "a", "--id", "k", environment: ["DEPOT_BOOK": "torn"])
        #expect(torn.err == "depot: the book is torn.\n" && torn.code == .usage)
        #expect(await depot("completion", "bash", environment: ["DEPOT_BOOK": "torn"]).code == .ok)
        #expect(await depot("store", "--help", environment: ["DEPOT_BOOK": "torn"]).code == .ok)
    }

    private func stored(_ words: [String], _ environment: [String: String] = [:]) async -> Run {
        let run = await depot(["store", "-o", "jsonl"] + words, environment: environment)
        #expect(run.code == .ok, "\(run.err)")
        return run
    }
}

@Suite("Values")
struct ValueTests {
    @Test(
        "durations have units",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)),
            ("1h30m", .seconds(5_400)), ("90d", .seconds(7_776_000)), ("0s", .zero),
        ])
    func durations(text: String, expected: Duration) throws {
        let duration = try Duration(argument: text)
        #expect(duration == expected)
        #expect(duration.argumentText == text)
    }

    @Test(
        "what is no duration is refused", arguments: ["", "5", "s", "5 m", "-5s", "1.5s", "5w", "9223372036854775807d"])
    func badDurations(text: String) {
        #expect(throws: InvalidValue("expected a duration such as 250ms, 30s, 5m or 90d")) {
            try Duration(argument: text)
        }
    }

    @Test("counts may be shortened", arguments: [("250", 250), ("10_000", 10_000), ("10k", 10_000), ("2M", 2_000_000)])
    func counts(text: String, expected: Int) throws {
        #expect(try Count(argument: text) == Count(expected))
    }

    @Test("what is no count is refused", arguments: ["", "k", "-1", "_1", "1_", "1.5k", "1kk", "9223372036854775807k"])
    func badCounts(text: String) {
        #expect(throws: InvalidValue.self) { try Count(argument: text) }
    }

    @Test("rates are a number a second, with or without saying so")
    func rates() throws {
        #expect(try Rate(argument: "500/s") == Rate(perSecond: 500))
        #expect(try Rate(argument: "2k") == Rate(perSecond: 2_000))
        for text in ["", "/s", "0", "5/m", "-5/s", "5//s"] {
            #expect(throws: InvalidValue("expected a rate such as 500/s")) { try Rate(argument: text) }
        }
    }
}
