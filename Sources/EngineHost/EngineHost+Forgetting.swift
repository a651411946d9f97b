import Foundation
import TradeFeed

extension EngineHost {
    /// Keeps nothing any longer for a consumer that is away, and will not come back.
    func forget(_ number: UInt64, _ json: [UInt8]) -> EntryMessage {
        guard let request = try? JSONDecoder().decode(ForgetRequest.self, from: Data(json)),
            !request.reason.isEmpty || request.isDryRun
        else { return .refused(number, .malformed, "this does not say whom to forget, who wishes it and why") }
        guard following == nil else {
            return .refused(number, .notLeading, "this engine follows another, and keeps nothing for anybody")
        }
        let consumer = publisher.consumers.first { $0.consumer.text == request.consumer }
        let outcome: ForgetAnswer.Outcome =
            consumer.map { $0.isFollowing ? .following : .forgotten } ?? .unknown
        if let consumer, outcome == .forgotten, !request.isDryRun {
            publisher.forget(consumer.consumer)
            log.info(
                "a consumer is forgotten",
                [
                    "consumer": request.consumer, "acknowledged": "\(consumer.acknowledged)", "by": request.actor,
                    "reason": request.reason,
                ])
        }
        guard
            let answer = try? JSONEncoder().encode(
                ForgetAnswer(outcome: outcome, acknowledged: consumer?.acknowledged))
        else { return .refused(number, .malformed, "the answer cannot be written") }
        return .answer(number, Array(answer))
    }
}
