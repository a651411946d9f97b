import CommandKit
import Repository
import TradeFeed
import TradeModel

/// What `settle up` says at its end: whether the books balance, and what to try next.
struct UpSummary {
    let totals: (settled: Int, parked: Int)
    let left: Int
    let lastSettled: TradeKey?
    let comparison: UpComparison
    /// Whether the queue is paused: then it is no wonder that something waits.
    let isPaused: Bool
    let database: Database

    func show(_ connection: PostgresConnection, _ context: Context) async throws {
        let report = try Verification.run(on: connection)
        let open = DeadLetterStore.decodeCountOpen(try connection.query(DeadLetterStore.countOpen))
        let proposals = try await proposals(connection)
        try context.output.show(
            .object(
                [
                    ("settled", .integer(totals.settled)), ("parked", .integer(totals.parked)),
                    ("left", .integer(left)),
                ] + open.pairs("open_dead_letters") + [("verify", report.json), ("engine", comparison.json)])
        ) {
            try context.output.line(
                "settled \(totals.settled.counted("trade")), parked \(totals.parked.grouped), left \(left.grouped)")
            try context.output.line(report.summary)
            try context.output.line(comparison.summary)
            for difference in comparison.differences { try context.output.line("  " + difference.printable) }
            guard !proposals.isEmpty else { return }
            try context.output.line("")
            let letters = open.text("dead letter is", plural: "dead letters are")
            try context.output.line((open.value == 0 ? "" : "\(letters) open. ") + "Try next:")
            // As it was called: `make run` puts nothing on the path. A line for each, since both may be long.
            let program = CommandLine.arguments[0].shellQuoted
            for (command, meaning) in proposals {
                try context.output.line("  \(program.printable) \(command.printable)")
                try context.output.line("      " + context.output.styled(meaning.printable, .dim))
            }
        }
        try context.output.flush()
        guard report.isClean else { throw CommandFailure("the books do not balance", exit: .mismatch) }
        guard comparison.differenceCount == 0 else {
            throw CommandFailure("the engine and the books differ", exit: .mismatch)
        }
        if left > 0 {
            throw CommandFailure(
                "\(left.counted("trade was", plural: "trades were")) not settled before the deadline")
        }
        if comparison.unsettled > 0, !isPaused {
            let records = comparison.unsettled.counted("record was", plural: "records were")
            throw CommandFailure("\(records) of the engine not settled before the deadline")
        }
    }

    private func proposals(_ connection: PostgresConnection) async throws -> [(command: String, meaning: String)] {
        var proposals: [(String, String)] = []
        if try QueueControlStore.read(connection).isPaused {
            proposals.append(("queue resume", "the queue is paused, and would be the next time too"))
        }
        // Of the simulated customer who cannot pay; what real ones lack is for whoever knows them to say.
        let poor = LetterFilter(
            failureClass: .insufficientFunds, account: OtherVenue.poorAccount, status: .open)
        let any = LetterFilter(status: .open)
        let answers = try connection.pipeline([poor, any].map { DeadLetterStore.list($0, after: 0, limit: 1) })
        if let letter = answers.lazy.compactMap({ DeadLetterStore.decode($0).first }).first {
            proposals.append(("dlq show \(letter.number)", "why \(letter.name) was parked"))
            if let lack = try await shortfall(of: letter, connection), lack.account == OtherVenue.poorAccount {
                // Money comes in through the engine alone, which does not know this account.
                let credit = lack.asset.text(try lack.creditLine.adding(lack.missing))
                let account = lack.account.text.shellQuoted
                proposals.append(
                    ("account credit \(account) \(credit) --reason trial", "lets it owe what it lacks"))
                proposals.append(("dlq retry \(letter.number)", "settles it then"))
            }
            proposals.append(("dlq list", "all that are open"))
        }
        if let lastSettled {
            proposals.append(("explain \(lastSettled.description.shellQuoted)", "a settled trade's whole life"))
        }
        return proposals
    }

    /// What a letter's trade would lack if it were settled now; nil if it is not for want of money.
    private func shortfall(of letter: DeadLetter, _ connection: PostgresConnection) async throws -> Shortfall? {
        let items = try LetterContents(connection: connection).items([letter])
        let outcomes = try await DirectWallet(database).preview(items, lookingAtClaims: false)
        guard case .rejected(let rejection)? = outcomes.first else { return nil }
        return rejection.shortfall
    }
}
