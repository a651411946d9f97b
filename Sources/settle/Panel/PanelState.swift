import Repository
import SettlementWorkers
import TradeModel
import WalletClient

/// What the panel knows at one moment.
struct PanelState {
    enum Phase: Equatable {
        case running
        case paused
        case stopping
    }

    /// A line of the list of events.
    struct Event: Equatable {
        enum Tone { case plain, good, bad }

        /// The time of day in UTC: `12:01:03`.
        var time: String
        var text: String
        var tone: Tone
    }

    /// What the last look at the books found.
    struct BooksGlance: Equatable {
        var unbalancedAssets: Int
        /// Whether as many trades are settled in the database as were counted here.
        var agrees: Bool
        /// When it was, in time since the start.
        var at: Duration
    }

    let seed: UInt64
    /// Where the engine takes orders.
    let orders: String
    /// Where the books are, without any secret: `private PostgreSQL`, `db.example:5432`.
    let database: String

    var uptime = Duration.zero
    var phase = Phase.running
    var pool: PoolSnapshot
    /// Trades that were settled.
    var settled = 0
    var engine = EngineMeter.Reading()
    /// Orders and trades of the last second.
    private(set) var engineRate = EngineMeter.Second()
    var connections: [WalletPool.Connection] = []
    /// Whether the database is asked as usual.
    var breakerIsClosed = true
    /// Trades settled in each second, the newest last.
    private(set) var rates: [Int] = []
    /// How many seconds there have been, also those that are forgotten.
    private(set) var secondCount = 0
    var p50 = "-"
    var p99 = "-"
    /// nil until the database was asked.
    var letters: Glance.OpenLetters?
    var books: BooksGlance?
    /// Why the books could not be looked at, if so.
    var booksRemark: String?
    private(set) var events: [Event] = []
    var isHelpShown = false

    /// So many seconds and events are remembered: more than any screen shows.
    private static let ratesMax = 1_200
    private static let eventsMax = 200

    init(seed: UInt64, orders: String, database: String, pool: PoolSnapshot) {
        self.seed = seed
        self.orders = orders
        self.database = database
        self.pool = pool
    }

    mutating func addSecond(_ second: SettlementMeter.Second, _ engine: EngineMeter.Second) {
        engineRate = engine
        rates.append(second.settled)
        secondCount += 1
        if rates.count > Self.ratesMax { rates.removeFirst(rates.count - Self.ratesMax) }
        p50 = second.p50
        p99 = second.p99
    }

    mutating func addEvent(_ text: String, tone: Event.Tone = .plain, at time: Timestamp) {
        events.append(Event(time: String(time.description.dropFirst(11).prefix(8)), text: text, tone: tone))
        if events.count > Self.eventsMax { events.removeFirst(events.count - Self.eventsMax) }
    }
}
