import Repository
import ServiceKit

/// Seals what was committed, so that nobody changes it unseen: see docs/tamper-evidence.md.
///
/// It gives way: after a stretch it rests for four times as long as that took, and so takes a fifth of one processor at
/// most. What it does not come to under a heavy load it comes to later.
struct Sealing: BesideDuty {
    private static let restPerWork = 4
    private static let restMax = Duration.seconds(10)

    let name = "sealing"
    private var sealer: Sealer
    private var restsUntil = ContinuousClock.now

    init(interval: Duration = .seconds(60), rowsMax: Int64 = Sealer.rowsMax) {
        sealer = Sealer(interval: interval, rowsMax: rowsMax)
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) {
        while !Task.isCancelled, ContinuousClock.now >= restsUntil {
            let start = ContinuousClock.now
            guard let seal = try sealer.advance(on: connection) else { return }
            let end = ContinuousClock.now
            restsUntil = end + min(Self.restMax, (end - start) * Self.restPerWork)
            log.debug(
                "sealed",
                [
                    "seal": "\(seal.number)", "first_batch": "\(seal.batches.lowerBound)",
                    "next_batch": "\(seal.batches.upperBound)", "chain": "\(seal.chain)",
                ])
        }
    }
}
