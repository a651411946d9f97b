import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel
import WalletClient

/// Brings dead letters back to be settled, and follows them to their outcome, chunk by chunk.
struct LetterRetry {
    struct Result {
        var retried = 0
        var settled = 0
        var parkedAgain = 0
        var waiting = 0
        var leftAlone = 0

        var done: Int { retried + leftAlone }
    }

    private static let chunkSizeMax = 1_000
    /// How long running workers are given before what they have not settled is reported as waiting.
    private static let patience = Duration.seconds(30)
    private static let patienceOnceLost = Duration.seconds(1)
    private static let patienceOnceStopped = Duration.seconds(5)

    let connection: PostgresConnection
    private let database: Database
    private let catalog: Catalog
    private let contents: LetterContents
    private let status: LetterStatus
    private let reason: String
    private var patience = Self.patience
    private(set) var result = Result()
    /// What operators had stopped when it was last waited for.
    private(set) var stops: [Standstill.Stop] = []

    /// - Parameter status: that of the letters that are brought back.
    init(_ database: Database, from status: LetterStatus, reason: String) throws {
        self.database = database
        self.status = status
        self.reason = reason
        connection = try database.connect()
        catalog = try CatalogStore.read(connection)
        contents = LetterContents(connection: connection)
    }

    /// Retries what the queue holds; stops between two chunks when asked to.
    mutating func carryOut(
        _ queue: LetterQueue, rate: Rate?, isStopped: () -> Bool, progress: (Result) -> Void
    ) async throws {
        var queue = queue
        let start = ContinuousClock.now
        let chunkSize = rate.map { max(1, min($0.perSecond / 4, Self.chunkSizeMax)) } ?? Self.chunkSizeMax
        while !isStopped() {
            let letters = try queue.next(chunkSize)
            guard !letters.isEmpty else { return }
            let followed = try retry(letters)
            result.retried += followed.count
            let markets = letters.compactMap { letter in letter.tradeKey.map { (letter.number, $0.market) } }
            try await follow(
                followed, in: Dictionary(markets, uniquingKeysWith: { $1 }), isStopped, progress)
            guard let rate else { continue }
            let due = start + .seconds(1) * result.done / rate.perSecond
            while ContinuousClock.now < due, !isStopped() {
                try await Task.sleep(for: min(.milliseconds(50), ContinuousClock.now.duration(to: due)))
            }
        }
    }

    /// Lets the trades of a chunk wait again, in order, and returns the numbers of the letters that are on their way.
    private mutating func retry(_ letters: [DeadLetter]) throws -> [Int64] {
        var followed: [Int64] = []
        var run: [Int64] = []
        func retryRun() throws {
            guard !run.isEmpty else { return }
            let rows = try connection.query(
                DeadLetterStore.retry(run, from: status, actor: operatorName, reason: reason))
            result.leftAlone += run.count - rows.count
            followed += rows.indices.map { rows.int64($0, 0) }
            run = []
        }
        let settled = try DeadLetterStore.settled(letters.map(\.number), on: connection)
        for letter in letters {
            if letter.status == status, let batch = settled[letter.number] {
                if try refuse(letter, .settled(in: batch)) == .refused {
                    result.retried += 1
                    result.parkedAgain += 1
                } else {
                    result.leftAlone += 1
                }
                continue
            }
            if letter.status == status, letter.isStored, letter.version == 1 {
                run.append(letter.number)
                continue
            }
            try retryRun()
            switch try retryAlone(letter) {
            case .waits: followed.append(letter.number)
            case .refused:
                result.retried += 1
                result.parkedAgain += 1
            case .leftAlone: result.leftAlone += 1
            }
        }
        try retryRun()
        return followed
    }

    private enum Beginning { case waits, refused, leftAlone }

    /// An edited letter, or one whose trade was never stored. What cannot begin leaves it open, and says why.
    private func retryAlone(_ letter: DeadLetter) throws -> Beginning {
        guard letter.status == status else { return .leftAlone }
        let trade: Trade
        switch try contents.items([letter])[0].subject {
        case .trade(let read): trade = read
        case .refused(let refused): return try refuse(letter, refused.rejection)
        case .operation: return .leftAlone
        }
        if letter.isStored {
            let rows = try connection.query(
                DeadLetterStore.retryEdited(
                    letter.number, version: letter.version, as: trade, from: status, actor: operatorName,
                    reason: reason))
            return rows.count == 1 ? .waits : .leftAlone
        }
        do { _ = try TradeTerms(trade, in: catalog) } catch { return try refuse(letter, error) }

        switch try DeadLetterStore.retryUnstored(
            letter, as: trade, actor: operatorName, reason: reason, on: connection)
        {
        case .waits: return .waits
        case .leftAlone: return .leftAlone
        case .taken(let other) where other?.trade?.hasSameContent(as: trade) == true:
            return try refuse(
                letter,
                Rejection(.conflict, "trade \(trade.key) is parked under another dead letter; retry that one"))
        case .taken(let other): return try refuse(letter, trade.conflict(with: other?.trade))
        }
    }

    private func refuse(_ letter: DeadLetter, _ rejection: Rejection) throws -> Beginning {
        let answer = try connection.query(DeadLetterStore.recordRefusal(letter, rejection, actor: operatorName))
        return answer.affected == 1 ? .refused : .leftAlone
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

    /// Waits until the trades of a chunk are decided, so that money goes to the older ones and little waits at once.
    private mutating func follow(
        _ letters: [Int64], in markets: [Int64: MarketSymbol], _ isStopped: () -> Bool, _ progress: (Result) -> Void
    ) async throws {
        var open = letters
        var deadline = ContinuousClock.now + patience
        while true {
            let standings = open.isEmpty ? [] : try connection.pipeline([DeadLetterStore.standings(of: open)])
            let before = open.count
            open = []
            for standing in standings.first.map(DeadLetterStore.decodeStandings) ?? [] {
                switch (standing.status, standing.trade) {
                case (_, .settled): result.settled += 1
                case (.open, _), (_, .failed): result.parkedAgain += 1
                default: open.append(standing.number)
                }
            }
            progress(result)
            guard !open.isEmpty else { return }
            if open.count < before { deadline = ContinuousClock.now + patience }
            if isStopped() { deadline = min(deadline, ContinuousClock.now + Self.patienceOnceStopped) }
            let standstill = try Standstill.read(connection)
            stops = standstill.stops(in: Set(open.compactMap { markets[$0] }))
            let isHeldUp =
                standstill.pause != nil
                || open.allSatisfy { number in standstill.halts.contains { $0.market == markets[number] } }
            guard ContinuousClock.now < deadline, !isHeldUp else {
                result.waiting += open.count
                patience = Self.patienceOnceLost
                return
            }
            // Asked each time: a worker that was killed seems to live for a while.
            if try WorkerStore.isAnyLiving(database.limits, connection) {
                try await Task.sleep(for: .milliseconds(20))
            } else {
                try await settleHere()
            }
        }
    }
}
