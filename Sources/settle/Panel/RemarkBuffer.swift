import ServiceKit
import TradeModel

/// What others have to say while the panel has the screen, until the panel shows it.
final class RemarkBuffer: Sendable {
    private let remarks = Guarded<[(text: String, tone: PanelState.Event.Tone, at: Timestamp)]>([])
    /// More than the panel can show is not kept.
    private static let remarksMax = 100

    func add(_ text: String, tone: PanelState.Event.Tone = .plain) {
        let now = Timestamp.now
        remarks.withLock { remarks in
            if remarks.count == Self.remarksMax { remarks.removeFirst() }
            remarks.append((text, tone, now))
        }
    }

    /// A log whose lines end up here, without their time and level.
    func log(_ level: Log.Level) -> Log {
        Log(level: level) { [self] line in
            let event = line.firstRange(of: "event=").map { String(line[$0.upperBound...]) } ?? line
            let isBad = line.contains(" level=error ")
            add(event.trimmingSuffix("\n"), tone: isBad ? .bad : .plain)
        }
    }

    func take() -> [(text: String, tone: PanelState.Event.Tone, at: Timestamp)] {
        remarks.withLock { remarks in
            defer { remarks = [] }
            return remarks
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
