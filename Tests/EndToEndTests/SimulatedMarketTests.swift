import Testing
import TradeModel

@testable import settle

/// The simulated market by itself: which orders it gives, and how many when.
@Suite struct SimulatedMarketTests {
    private func market(seed: UInt64) -> SimulatedMarket {
        SimulatedMarket(seed: seed, run: "r", accounts: SimulatedAccounts.names(""))
    }

    @Test func `the same seed gives the same orders, however many are asked for at a time`() {
        var (one, other, third) = (market(seed: 7), market(seed: 7), market(seed: 8))
        #expect(one.opening() == other.opening())
        let all = one.orders(takers: 500, tradesMax: .max)
        #expect(all == (0..<50).flatMap { _ in other.orders(takers: 10, tradesMax: .max) })
        #expect(one.closing() == other.closing())
        _ = third.opening()
        #expect(third.orders(takers: 500, tradesMax: .max) != all)
    }

    @Test func `makers renew both sides of every market, and take all quotes back at the end`() {
        var market = market(seed: 1)
        let opening = market.opening()
        #expect(opening.count == 120)
        let orders = market.orders(takers: 1_000, tradesMax: .max)
        var sides: Set<String> = []
        var (open, placed): (Set<Identifier>, Set<Identifier>) = ([], [])
        for action in opening + orders + market.closing() {
            switch action {
            case .place(let order):
                guard let id = order.clientOrderID else { continue }
                #expect(order.timeInForce == .postOnly && placed.insert(id).inserted)
                open.insert(id)
                sides.insert("\(order.market) \(order.side)")
            case .cancel(_, .clientOrderID(let id)): #expect(open.remove(id) != nil)
            default: Issue.record("\(action)")
            }
        }
        #expect(sides.count == 6 && open.isEmpty)
        #expect(placed.count == 120 + 500)
    }

    @Test(arguments: [1, 99, 100, 250]) func `orders that take make no more trades than they may`(_ most: Int) {
        var market = market(seed: 3)
        _ = market.opening()
        let lots = market.orders(takers: 100, tradesMax: most).reduce(into: 0) { lots, action in
            guard case .place(let order) = action, order.clientOrderID == nil else { return }
            let venue = SimulatedMarket.venues.first { $0.symbol == order.market }!
            lots += (1...100).first { venue.quantity($0) == order.quantity }!
        }
        #expect(lots == most)
    }

    @Test func `a pace is kept, and little of what was missed is made up for`() {
        var pace = MarketPace(perSecond: 100)
        #expect(pace.due(at: 9_000) == 0)
        #expect(pace.due(at: 10_000) == 1)
        pace.made(1)
        #expect(pace.due(at: 110_000) == 10)
        pace.made(12)
        #expect(pace.due(at: 120_000) == 0)
        #expect(pace.due(at: 5_000_000) == 25, "of five seconds a quarter")
        var slow = MarketPace(perSecond: 1)
        #expect((1...10).map { slow.due(at: $0 * 100_000) } == Array(repeating: 0, count: 9) + [1])
    }

    @Test func `the lag is what the engine has done and the books have not`() {
        let meter = EngineMeter()
        #expect(meter.reading == EngineMeter.Reading())
        meter.settled(upTo: 100)
        meter.stands(at: 100, openOrders: 0, trades: 0)
        meter.carriedOut(orders: 3, trades: 2, upTo: 110)
        meter.settled(upTo: 107)
        #expect(meter.reading.lag == 3 && meter.reading.delay > .zero)
        meter.settled(upTo: 110)
        #expect(meter.reading.lag == 0 && meter.reading.delay == .zero)
        #expect(meter.takeSecond().orders == 3)
        #expect(meter.takeSecond().trades == 0)
    }
}
