import Foundation
import Testing
import TradeModel

@testable import Repository
@testable import SettlementWorkers

/// The gate that sources pass before they are asked for more.
@Suite struct IntakeGateTests {
    private static func control(_ isPaused: Bool, _ revision: Int64) -> QueueControl {
        QueueControl(
            isPaused: isPaused, revision: revision, changedAt: .now, actor: nil, reason: nil, hasHaltedMarkets: false,
            isSealed: false)
    }

    @Test func `a pause that is heard of late does not shut what a stop has opened`() {
        let gate = IntakeGate(Self.control(false, 0))
        gate.openForGood()
        _ = gate.obey(Self.control(true, 1))
        #expect(gate.tryPass())
        #expect(gate.control.isPaused)
    }

    @Test func `who waits passes when the queue goes on, and what is older than that changes nothing`() async {
        let gate = IntakeGate(Self.control(true, 1))
        #expect(!gate.tryPass())
        async let passed: Void = gate.pass()
        #expect(gate.obey(Self.control(false, 2)).isPaused)
        await passed
        #expect(!gate.obey(Self.control(true, 1)).isPaused)
        #expect(gate.tryPass())
    }

    @Test func `whoever hears of what in whatever order, the gate stands as the newest wants it`() async {
        for round in 0..<200 {
            let gate = IntakeGate(Self.control(false, 0))
            await withTaskGroup(of: Void.self) { group in
                for revision in 1...8 {
                    group.addTask { _ = gate.obey(Self.control(revision % 2 == round % 2, Int64(revision))) }
                }
            }
            #expect(gate.tryPass() == !gate.control.isPaused)
            #expect(gate.control.revision == 8)
        }
    }
}
