import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeModel

/// The panel of `settle up`: asks what is going on, shows it, and does what the keys say.
actor LivePanel {
    let service: SettlementService
    let database: PanelDatabase
    let remarks: RemarkBuffer
    var state: PanelState
    /// The worker whose connection was killed last.
    var lastKilled = -1

    private let screen: TerminalScreen
    private let glyphs: PanelGlyphs
    private let meter: SettlementMeter
    private let trading: SimulatedTrading
    private let engineMeter: EngineMeter
    private let poison: PoisonSource
    private let stop: @Sendable () -> Void
    private let start = ContinuousClock.now
    private let run: String
    private var volleys = 0
    private var hasSeenLetter = false
    private let kills: AsyncStream<Int?>
    private let killSender: AsyncStream<Int?>.Continuation

    private static let drawInterval = Duration.milliseconds(200)
    private static let drawsPerSecond = 5
    private static let letterInterval = Duration.seconds(1)
    private static let booksInterval = Duration.seconds(3)
    /// Looking at the books may take one part in so many of the database's time.
    private static let booksShare = 50

    /// - Parameters:
    ///   - run: part of the ids of what this run makes.
    ///   - stop: asks for an orderly end.
    init(
        _ state: PanelState, on screen: TerminalScreen, _ glyphs: PanelGlyphs, service: SettlementService,
        meter: SettlementMeter, trading: SimulatedTrading, engineMeter: EngineMeter, poison: PoisonSource,
        database: PanelDatabase, remarks: RemarkBuffer, run: String, stop: @escaping @Sendable () -> Void
    ) {
        self.state = state
        self.screen = screen
        self.glyphs = glyphs
        self.service = service
        self.meter = meter
        self.trading = trading
        self.engineMeter = engineMeter
        self.poison = poison
        self.database = database
        self.remarks = remarks
        self.run = run
        self.stop = stop
        (kills, killSender) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(10))
    }

    /// Shows the panel until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.readKeys() }
            group.addTask { await self.drawAgainAndAgain() }
            group.addTask { await self.watchLetters() }
            group.addTask { await self.watchBooks() }
            group.addTask { await self.killAsAsked() }
        }
    }

    // MARK: - Showing

    private func drawAgainAndAgain() async {
        var draws = 0
        var next = ContinuousClock.now
        while !Task.isCancelled {
            draws += 1
            if draws % Self.drawsPerSecond == 0 { state.addSecond(meter.takeSecond(), engineMeter.takeSecond()) }
            await refresh()
            draw()
            next = max(next + Self.drawInterval, .now)
            try? await Task.sleep(until: next, clock: .continuous)
        }
    }

    func draw() {
        for remark in remarks.take() { state.addEvent(remark.text, tone: remark.tone, at: remark.at) }
        state.uptime = .now - start
        screen.draw(PanelScreen(state, glyphs, screen.size).lines)
    }

    private func refresh() async {
        state.pool = await service.pool.snapshot()
        state.settled = meter.totals.settled
        let reading = engineMeter.reading
        if reading.isHeldBack != state.engine.isHeldBack {
            remarks.add(
                reading.isHeldBack
                    ? "the market waits: \(reading.lag.grouped) records of the engine are not settled"
                    : "the market goes on")
        }
        state.engine = reading
        state.connections = await service.wallets.connections
        let isAvailable = await service.wallets.isAvailable
        if isAvailable != state.breakerIsClosed {
            remarks.add(
                isAvailable ? "the database is back" : "the database is away; nothing is counted against any trade",
                tone: isAvailable ? .good : .bad)
        }
        state.breakerIsClosed = isAvailable
        obeyQueue()
    }

    /// The queue may be paused from anywhere; what the panel's own key did comes back this way too.
    private func obeyQueue() {
        let queue = service.queueControl
        if !state.pool.isOpen || trading.isStopping { state.phase = .stopping }
        guard state.phase != .stopping, queue.isPaused != (state.phase == .paused) else { return }
        state.phase = queue.isPaused ? .paused : .running
        remarks.add((queue.isPaused ? "paused" : "resumed") + (queue.actor.map { " by \($0)" } ?? ""))
    }

    // MARK: - Keys

    private func readKeys() async {
        for await event in screen.events {
            switch event {
            case .resized: break
            case .closed: stop()
            case .key where state.isHelpShown: state.isHelpShown = false
            case .key(.character(let key)): await press(key)
            case .key: break
            }
            draw()
        }
    }

    private func press(_ key: Character) async {
        switch key {
        case "p", "P", "r", "R": await togglePause(resuming: key == "r" || key == "R")
        case "x", "X": sendPoison()
        case "k", "K": killSender.yield(nil)
        case "0"..."9":
            // The tenth is 0, as on the keyboard.
            let worker = (key.wholeNumberValue! + 9) % 10
            if worker < state.pool.workers.count { killSender.yield(worker) }
        case "q", "Q":
            state.phase = .stopping
            stop()
        case "?", "h": state.isHelpShown = true
        default: break
        }
    }

    private func togglePause(resuming: Bool) async {
        let isPaused = state.phase == .paused
        guard state.phase != .stopping, isPaused || !resuming else { return }
        do {
            try await database.setPaused(!isPaused)
        } catch {
            let reason = (error as? DatabaseError)?.message ?? "\(error)"
            remarks.add("the queue cannot be \(isPaused ? "resumed" : "paused"): \(reason)", tone: .bad)
        }
    }

    private func sendPoison() {
        guard state.phase != .stopping else { return }
        volleys += 1
        let settled = meter.lastSettled
        let sent = Poison.allCases.enumerated().compactMap { index, poison in
            poison.message(id: "\(run)-x\(volleys)\(index)", settled: settled).map { (poison.name, $0) }
        }
        let isSent = poison.send(sent.map(\.1))
        remarks.add(
            isSent ? "poison sent: " + sent.map(\.0).joined(separator: ", ") : "no room for more poison; resume first")
    }

    private func killAsAsked() async {
        for await worker in kills { await kill(worker) }
    }

    // MARK: - Watching the database

    private func watchLetters() async {
        while !Task.isCancelled {
            if let (open, new) = try? await database.letters() {
                state.letters = open
                for letter in new { tell(letter) }
            }
            try? await Task.sleep(for: Self.letterInterval)
        }
    }

    /// Of the other venue's buyer without money only the first letter is news.
    private func tell(_ letter: Glance.LetterHeadline) {
        let isUsual = letter.source == OtherVenue.name
        guard !isUsual || !hasSeenLetter else { return }
        if isUsual { hasSeenLetter = true }
        remarks.add("dead letter \(letter.number): \(letter.failureClass): \(letter.message)")
    }

    private func watchBooks() async {
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            await lookAtBooks()
            let pause = max(Self.booksInterval, (ContinuousClock.now - begin) * Self.booksShare)
            try? await Task.sleep(for: pause)
        }
    }

    /// What is settled here is counted after its commit, and what is in work may be committed: in between lies what the
    /// database must say.
    func lookAtBooks() async {
        let atLeast = meter.totals.settled
        do {
            let found = try await database.books()
            let inFlight = await service.pool.snapshot().inFlight
            let atMost = meter.totals.settled + inFlight
            state.books = PanelState.BooksGlance(
                unbalancedAssets: Int(found.unbalancedAssets),
                agrees: (atLeast...atMost).contains(Int(found.settled)), at: .now - start)
            state.booksRemark = nil
        } catch {
            state.booksRemark = "could not look"
        }
    }
}
