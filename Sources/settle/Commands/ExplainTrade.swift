import CommandKit
import Repository
import TradeModel

struct ExplainTrade: Command {
    static let info = CommandInfo(
        "explain", summary: "Tell a trade's whole story, in words.",
        discussion: """
            When it was received, why it waits or why it failed, when and by whom it was settled; what it says, and what \
            it did to each balance, with what was there before and after; what a reversal did to them; and which later \
            trades are parked for want of what this one would have brought. Changes nothing.
            """,
        examples: [
            Example("settle explain 9001", "By its id."),
            Example("settle explain BTC/USDT:9001", "Where the id occurs in two markets."),
            Example("settle explain 9001 --json", "For a program."),
        ])

    @Argument("TRADE", help: "Its id, or MARKET:ID.") var name: TradeName

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let keys = try TradeStoryStore.keys(of: name.id, in: name.market, connection)
        guard let story = try TradeStoryStore.read(name.only(keys), limits: database.limits, connection) else {
            throw name.notFound
        }
        var needs: [TradeNeed] = []
        if story.trade?.status != .settled, let content = story.trade?.trade, let market = story.market {
            needs = try TradeNeed.both(of: content, market, connection)
        }
        let (funder, funded) = try consequences(of: story, connection)
        let advice = try advice(on: story, connection)
        let output = context.output
        try output.show(story.json(needs: needs, funded: funded, advice: advice)) {
            let text = TradeStoryText(story: story, needs: needs, funded: funded, funder: funder)
            try output.line(output.styled(text.title.printable, .bold))
            for paragraph in text.paragraphs {
                try output.line()
                for line in paragraph {
                    let indent = line.prefix { $0 == " " }
                    try output.line(String(indent), wrapping: line.dropFirst(indent.count).description.printable)
                }
            }
            if !advice.lines.isEmpty { try output.line() }
            try advice.print(to: output)
            guard !story.postings.isEmpty else { return }
            try output.line()
            try output.print(text.postings)
            guard !story.reversalPostings.isEmpty else { return }
            try output.line()
            try output.print(text.reversalPostings)
        }
    }

    /// What a parked trade says, and the open letters of later trades that lack what it would have brought.
    private func consequences(
        of story: TradeStory, _ connection: PostgresConnection
    ) throws -> (funder: Trade?, funded: [DeadLetter]) {
        let own = story.letters.last {
            $0.letter.status == .open && (story.trade == nil || $0.letter.isStored && story.trade?.status == .failed)
        }
        guard let letter = own?.letter,
            let trade = try story.trade?.trade ?? LetterContents(connection: connection).trade(letter)
        else { return (nil, []) }
        try DeadLetterStore.keepToIndexes(connection)
        let request = DeadLetterStore.funded(by: trade, of: letter, limit: LetterStory.relatedCountMax + 1)
        return (trade, DeadLetterStore.decode(try connection.query(request)))
    }

    /// What lets a trade that waits go on, or what its open letter says.
    private func advice(on story: TradeStory, _ connection: PostgresConnection) throws -> Advice {
        if let waiting = story.waiting {
            let steps = story.standstill.stops().map(\.remedy)
            return Advice(steps: steps + (waiting.workersAlive == 0 ? ["settle worker"] : []))
        }
        guard story.trade?.status != .settled,
            let letter = story.letters.last(where: { $0.letter.status == .open })?.letter
        else { return Advice() }
        try DeadLetterStore.keepToIndexes(connection)
        return try LetterStory(letter.number, on: connection).advice
    }
}
