import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel
import WalletClient

/// Brings dead letters back to be settled, and follows them to their outcome.
struct LetterRetry {
    struct Result {
        var retried = 0
        var settled = 0
        var parkedAgain = 0
        var waiting = 0
        var leftAlone = 0
    }

    private static let chunkSize = 500
    /// How long running workers are given before the rest is reported as waiting.
    private static let patience = Duration.seconds(30)

    let connection: PostgresConnection
    private let database: Database
    private let catalog: Catalog
    private let reason: String

    init(_ database: Database, reason: String) throws {
        self.database = database
        self.reason = reason
        connection = try database.connect()
        catalog = try CatalogStore.read(connection)
    }

    /// The letters as they are retried: each once, those of stored trades first, in the order in which these came.
    func inOrder(_ letters: [DeadLetter]) throws -> [DeadLetter] {
        var places: [Int64: Int64] = [:]
        for start in stride(from: 0, to: letters.count, by: Self.chunkSize) {
            let part = letters[start..<min(start + Self.chunkSize, letters.count)]
            var letterOf: [TradeKey: Int64] = [:]
            for letter in part where letter.isStored {
                if let key = letter.tradeKey { letterOf[key] = letter.number }
            }
            for trade in TradeStore.decode(try connection.pipeline([TradeStore.read(Array(letterOf.keys))])[0]) {
                places[letterOf[trade.key]!] = trade.receivedSequence
            }
        }
        let unique = Dictionary(letters.map { ($0.number, $0) }) { first, _ in first }
        return unique.values.sorted {
            (places[$0.number] ?? .max, $0.number) < (places[$1.number] ?? .max, $1.number)
        }
    }

    /// What would become of each letter now. Letters before it count as settled where they could be.
    func predict(_ letters: [DeadLetter]) async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        let wallet = DirectWallet(database)
        for start in stride(from: 0, to: letters.count, by: Self.chunkSize) {
            let part = letters[start..<min(start + Self.chunkSize, letters.count)]
            let items = try part.map(item)
            // A stored trade is its own row: looking at claims would call it a duplicate of itself.
            let stored = try await wallet.preview(items, lookingAtClaims: false)
            let unstored = try await wallet.preview(items, lookingAtClaims: true)
            outcomes += zip(part, zip(stored, unstored)).map { letter, pair in letter.isStored ? pair.0 : pair.1 }
        }
        return outcomes
    }

    func carryOut(_ letters: [DeadLetter], note: (String) -> Void) async throws -> Result {
        var result = Result()
        var followed: [DeadLetter] = []
        for start in stride(from: 0, to: letters.count, by: Self.chunkSize) {
            let part = Array(letters[start..<min(start + Self.chunkSize, letters.count)])
            let stored = Set(try retryStored(part.filter(\.isStored).map(\.number)))
            for letter in part {
                if letter.isStored ? stored.contains(letter.number) : try retryUnstored(letter) {
                    followed.append(letter)
                } else if letter.isStored || letter.status != .open {
                    result.leftAlone += 1
                } else {
                    result.retried += 1
                    result.parkedAgain += 1
                }
            }
        }
        result.retried += followed.count
        guard !followed.isEmpty else { return result }
        try await follow(followed, &result, note)
        return result
    }

    private func retryStored(_ numbers: [Int64]) throws -> [Int64] {
        guard !numbers.isEmpty else { return [] }
        let rows = try connection.pipeline([DeadLetterStore.retry(numbers, actor: operatorName, reason: reason)])[0]
        return rows.indices.map { rows.int64($0, 0) }
    }

    /// A letter whose trade was never stored: says whether it is now. Otherwise the letter stays open and says why.
    private func retryUnstored(_ letter: DeadLetter) throws -> Bool {
        guard letter.status == .open else { return false }
        let item = try item(letter)
        func refuse(_ rejection: Rejection) throws -> Bool {
            _ = try connection.pipeline([DeadLetterStore.recordRefusal(letter.number, rejection, actor: operatorName)])
            return false
        }
        guard case .trade(let trade) = item.subject else {
            if case .refused(let refused) = item.subject { return try refuse(refused.rejection) }
            return false
        }
        guard let market = catalog.markets[trade.market] else {
            return try refuse(Rejection(.unknownMarket, "there is no market \(trade.market)"))
        }
        do { _ = try TradeTerms(trade, market: market) } catch { return try refuse(error) }

        let isThere = try connection.transaction { () throws(DatabaseError) in
            let isNew = try connection.pipeline([TradeStore.accept([trade])])[0].count == 1
            let existing = TradeStore.decode(try connection.pipeline([TradeStore.read([trade.key])])[0]).first
            guard isNew || existing?.trade?.hasSameContent(as: trade) == true else { return false }
            _ = try connection.pipeline([
                DeadLetterStore.recordRetry(letter.number, actor: operatorName, reason: reason)
            ])
            return true
        }
        return isThere ? true : try refuse(Rejection(.conflict, "trade \(trade.key) exists with other content"))
    }

    private func item(_ letter: DeadLetter) throws -> SettlementItem {
        if letter.isStored, let key = letter.tradeKey,
            let trade = TradeStore.decode(try connection.pipeline([TradeStore.read([key])])[0]).first?.trade
        {
            return SettlementItem(.trade(trade), origin: .message(letter.source))
        }
        let items = WireDecoder.decodeMessage(letter.payload, source: letter.source)
        guard items.count == 1 else {
            return SettlementItem(
                .refused(RefusedMessage(Rejection(.undecodable, "the payload is not one trade"))),
                origin: .message(letter.source), payload: letter.payload)
        }
        return items[0]
    }

    // MARK: Following

    /// Settles what is PENDING in this process, since no worker runs.
    private func settleHere() async throws {
        let service = try SettlementService(
            SettlementService.Configuration(
                connectionString: database.connectionString, limits: database.limits, version: Settle.version,
                log: .silent, render: WireEncoder.encode))
        try await service.runOnce()
    }

    private func isAnyWorkerAlive() throws -> Bool {
        try connection.pipeline([WorkerStore.living(database.limits)])[0].int64(0, 0) > 0
    }

    private func follow(_ letters: [DeadLetter], _ result: inout Result, _ note: (String) -> Void) async throws {
        let deadline = ContinuousClock.now + Self.patience
        var open = letters.map(\.number)[...]
        while let number = open.first {
            let letter = DeadLetterStore.decode(try connection.pipeline([DeadLetterStore.find(number)])[0]).first
            switch (letter?.status, letter?.tradeStatus) {
            case (_, .settled): result.settled += 1
            case (.open, _), (_, .failed): result.parkedAgain += 1
            default:
                if try ContinuousClock.now < deadline && !QueueControlStore.read(connection).isPaused {
                    // Asked each time: a worker that was killed seems to live for a while.
                    if try isAnyWorkerAlive() {
                        try await Task.sleep(for: .milliseconds(20))
                    } else {
                        try await settleHere()
                    }
                    continue
                }
                result.waiting += 1
            }
            open = open.dropFirst()
        }
        if result.waiting > 0 {
            let queue = try QueueControlStore.read(connection)
            if queue.isPaused { note("\(QueuePaused(queue)); they wait until 'settle queue resume'") }
            note("\(result.waiting) trades are still PENDING; 'settle trade list --status pending' shows them")
        }
    }
}

extension DeadLetter {
    fileprivate var tradeKey: TradeKey? {
        guard let market = market.flatMap({ MarketSymbol($0) }), let id = tradeID.flatMap(Identifier.init) else {
            return nil
        }
        return TradeKey(market: market, id: id)
    }
}
