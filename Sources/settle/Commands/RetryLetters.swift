import CommandKit
import Repository
import TradeModel

struct RetryLetters: Command {
    static let info = CommandInfo(
        "retry", summary: "Let dead letters be settled again, in the order in which they came.",
        discussion: """
            Each letter's trade waits again as PENDING; a running worker settles it, or, where none runs, this command. \
            What fails again is parked again, with its history. The newest version of an edited letter counts. Ctrl-C \
            stops between two chunks; the same command goes on, since what was retried is no longer open.
            """,
        usage: ["ID... [options]", "FILTERS [options]", "--all [options]"],
        examples: [
            Example("settle dlq retry 17 18", "Two letters."),
            Example("settle dlq retry --class insufficient_funds --dry-run", "What would become of them now."),
            Example("settle dlq retry --all --yes --rate 500/s", "All open ones, without a question, not too fast."),
            Example("settle dlq retry 17 --discarded", "One that was discarded by mistake."),
        ])

    @Argument("ID", help: "The letters' numbers.") var numbers: [Int64]
    @OptionGroup("Filters") var filter: LetterFilterOptions
    @Flag("--all", help: "All open letters.") var all: Bool
    @Flag("--discarded", help: "Bring back discarded letters instead of open ones.") var discarded: Bool
    @Option("--rate", "N/s", help: "No more than so many a second.") var rate: Rate?
    @Flag("--dry-run", help: "Say what would become of each, and change nothing.") var dryRun: Bool
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool
    @Option("--reason", help: "Why, for the record.", default: Reason("retried")) var reason: Reason

    func validate() throws { try filter.check(numbers, all: all) }

    private var status: LetterStatus { discarded ? .discarded : .open }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        var retry = try LetterRetry(database, from: status, reason: reason.text)
        let queue = try filter.queue(numbers, status: status, on: retry.connection)
        if !numbers.isEmpty, !discarded { try refuseDiscarded(queue) }
        if dryRun {
            try await predict(queue, LetterForesight(database, on: retry.connection), context)
            return
        }
        if numbers.isEmpty, queue.count > 0 {
            try context.confirm("Retry \(queue.count.counted("dead letter"))?", yes: yes)
        }
        let interruption = Interruption()
        let progress = ProgressLine(context.output, total: queue.count)
        try await retry.carryOut(queue, rate: rate, isStopped: { interruption.isAsked }) {
            progress.update($0.settled + $0.parkedAgain + $0.leftAlone)
        }
        progress.finish()
        interruption.letGo()
        try report(retry, of: queue.count, isStopped: interruption.isAsked, context)
    }

    /// What was given up comes back only to whoever says that this is meant.
    private func refuseDiscarded(_ queue: LetterQueue) throws {
        var queue = queue
        let letters = try queue.next(.max).filter { $0.status == .discarded }
        guard let first = letters.first else { return }
        throw CommandFailure(
            "dead letter \(first.number) is discarded. 'settle dlq retry \(first.number) --discarded' brings it back.")
    }

    private func report(_ retry: LetterRetry, of count: Int, isStopped: Bool, _ context: Context) throws {
        let (output, result) = (context.output, retry.result)
        let isCut = isStopped && result.done < count
        try output.show([
            "retried": .integer(result.retried), "settled": .integer(result.settled),
            "parked_again": .integer(result.parkedAgain), "waiting": .integer(result.waiting),
            "left_alone": .integer(result.leftAlone), "stopped": .bool(isCut),
        ]) {
            try output.line(
                "\(result.retried.grouped) retried: \(result.settled.grouped) settled, "
                    + "\(result.parkedAgain.grouped) parked again, \(result.waiting.grouped) still waiting"
                    + (result.leftAlone == 0
                        ? ""
                        : "; \(result.leftAlone.counted("was", plural: "were")) not \(status.rawValue)"))
        }
        try output.flush()
        for stop in retry.stops where result.waiting > 0 {
            output.note(stop.line)
        }
        if result.waiting > 0 {
            output.note(
                "\(result.waiting.counted("trade is", plural: "trades are")) still PENDING; "
                    + "'settle trade list --status pending' shows \(result.waiting == 1 ? "it" : "them")")
        }
        if isCut {
            output.note(
                "stopped before \((count - result.done).counted("dead letter")); the same command goes on from there")
        }
        if result.parkedAgain == 1, let number = numbers.first, Set(numbers).count == 1 {
            let letter = try LetterQueue.letter(number, on: retry.connection)
            throw CommandFailure(
                "dead letter \(number) could not be settled: \(letter.message.printable). 'settle dlq show \(number)' "
                    + "says what to do.")
        }
        if result.parkedAgain > 0 {
            throw CommandFailure("\(result.parkedAgain.grouped) could not be settled; 'settle dlq list' says why")
        }
    }

    // MARK: Looking ahead

    private func predict(_ queue: LetterQueue, _ foresight: LetterForesight, _ context: Context) async throws {
        var queue = queue
        var counts: [String: Int] = [:]
        var rows: [JSONValue] = []
        let progress = ProgressLine(context.output, total: queue.count)
        var done = 0
        repeat {
            let letters = try queue.next(LetterForesight.chunkSize)
            let predictions = try await foresight.predict(letters, from: status)
            for prediction in predictions { counts[prediction.outcome, default: 0] += 1 }
            // Only a JSON array has to be whole before it is written.
            if context.output.format == .json {
                rows += zip(letters, predictions).map(json)
            } else if done == 0 || !letters.isEmpty {
                try show(letters, predictions, context)
            }
            done += letters.count
            progress.update(done)
            if letters.isEmpty { break }
        } while done < queue.count
        progress.finish()
        if context.output.format == .json { try context.output.list(rows, empty: "") { Table() } }
        if done > 1 {
            let words = [
                ("settle", "would settle"), ("park", "would be parked again"), ("wait", "would wait"),
                ("is_there", "there already"), ("left_alone", "would be left alone"),
            ]
            context.output.note(
                words.compactMap { name, words in counts[name].map { "\($0.grouped) \(words)" } }
                    .joined(separator: ", "))
        }
    }

    private func json(_ letter: DeadLetter, _ prediction: LetterPrediction) -> JSONValue {
        [
            "id": .count(letter.number), "market": .string(letter.market), "trade_id": .string(letter.tradeID),
            "would_settle": .bool(prediction == .settles), "outcome": .string(prediction.outcome),
            "class": .string(prediction.rejection?.failureClass.rawValue), "prediction": .string(prediction.words),
        ]
    }

    private func show(_ letters: [DeadLetter], _ predictions: [LetterPrediction], _ context: Context) throws {
        try context.output.list(zip(letters, predictions).map(json), empty: "No such dead letters.") {
            var table = Table(Table.Column("ID", .right), "TRADE", "PREDICTION")
            for (letter, prediction) in zip(letters, predictions) {
                table.add("\(letter.number)", "\(letter.name)", "\(prediction.words)")
            }
            return table
        }
    }
}
