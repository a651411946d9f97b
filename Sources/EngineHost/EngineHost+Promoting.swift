import Foundation
import TradeFeed
import TradeModel

/// Somebody waits to hear whether the engine may lead.
struct Wish {
    var caller: EntrySocket.Caller
    var number: UInt64
    var request: PromotionRequest
    var askedAt = ContinuousClock.now
}

extension EngineHost {
    /// So many wait at a time.
    private static let wishesMax = 16

    /// Notes a wish to be judged; or refuses it at once.
    func note(_ number: UInt64, _ json: [UInt8], of caller: EntrySocket.Caller) -> EntryMessage? {
        guard let request = try? JSONDecoder().decode(PromotionRequest.self, from: Data(json)),
            !request.reason.isEmpty || request.isDryRun
        else { return .refused(number, .malformed, "this is no wish to lead, with who wishes it and why") }
        guard wishes.count < Self.wishesMax else {
            return .refused(number, .mayNotLead, "others wait already to hear whether this engine may lead")
        }
        wishes.append(Wish(caller: caller, number: number, request: request))
        return nil
    }

    /// Answers who wished that this engine leads, as soon as it can be told.
    func grantWishes(isStopping: Bool) throws {
        if !wishes.isEmpty, let consumer = following?.consumer { try note(consumer.status) }
        for wish in wishes {
            guard
                let answer = isStopping
                    ? .refused(wish.number, .stopping, "the engine is about to stop") : try answer(wish)
            else { continue }
            try socket.send(answer, to: wish.caller)
            wishes.removeAll { $0.caller == wish.caller && $0.number == wish.number }
        }
    }

    /// Nil when it cannot be told yet.
    private func answer(_ wish: Wish) throws -> EntryMessage? {
        guard let replica = following?.replica else { return answer(wish, isNew: false, lostUpTo: nil) }
        let verdict = replica.judge(
            Replica.Circumstances(
                askedAt: wish.askedAt, isForced: wish.request.isForced, sequence: position.sequence,
                epoch: lead.epoch, difference: lead.difference), now: .now)
        switch verdict {
        case .wait: return nil
        case .refuse(let text): return .refused(wish.number, .mayNotLead, text)
        case .lead(let lostUpTo):
            if !wish.request.isDryRun { try takeLead(wish.request, lostUpTo) }
            return answer(wish, isNew: true, lostUpTo: lostUpTo)
        }
    }

    private func answer(_ wish: Wish, isNew: Bool, lostUpTo: Int64?) -> EntryMessage {
        let answer = PromotionAnswer(
            stream: settings.stream.text, sequence: position.sequence, hash: position.hash.hexadecimal,
            epoch: lead.epoch + (isNew && wish.request.isDryRun ? 1 : 0), isNew: isNew, lostUpTo: lostUpTo,
            feed: feedEndpoint)
        guard let json = try? JSONEncoder().encode(answer) else {
            return .refused(wish.number, .malformed, "the answer cannot be written")
        }
        return .answer(wish.number, Array(json))
    }

    /// From here on orders are taken, and nothing of the leader; what comes of them is published under a later epoch.
    private func takeLead(_ request: PromotionRequest, _ lostUpTo: Int64?) throws {
        following?.consumer?.stop()
        consumers.continuation.finish()
        lead.promote(request, at: position, lostUpTo: lostUpTo, now: .now)
        try store.keep(lead)
        following = nil
        publisher.begin(epoch: lead.epoch)
        log.info(
            "the engine leads",
            [
                "sequence": "\(engine.sequence)", "hash": engine.hash.hexadecimal, "epoch": "\(lead.epoch)",
                "lost_up_to": lostUpTo.map { "\($0)" } ?? "nothing", "by": request.actor, "reason": request.reason,
            ])
    }
}
