/// Replicas stand by to publish the stream when this publisher is gone. So that nobody has got what they lack, others
/// get no more than each replica has made durable; one that does not get on is not waited for.
extension FeedSessions {
    /// Up to here all replicas that keep up have everything; without any, there is no bound.
    var sharedUpTo: Int64 {
        consumers.values.lazy.filter { $0.session?.isInStep ?? false }.map(\.acknowledged).min() ?? .max
    }

    /// Waits for those that have caught up, and no longer for those that stand still.
    mutating func lookAfterReplicas(newest: Int64, now: Instant) {
        for (name, consumer) in consumers {
            guard let session = consumer.session, session.isReplica, session.isChecked else { continue }
            let lag = newest - consumer.acknowledged
            let standsStill = lag > 0 && now - session.progressAt >= .milliseconds(settings.silenceMilliseconds)
            if lag <= 0 { consumers[name]?.session?.progressAt = now }
            if !session.isInStep {
                consumers[name]?.session?.isInStep = lag <= settings.inStepRecordsMax && !standsStill
            } else if standsStill {
                consumers[name]?.session?.isInStep = false
                counts.leftBehind += 1
            }
        }
    }
}
