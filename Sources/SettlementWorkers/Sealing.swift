import Repository
import ServiceKit

/// Seals what was committed, so that nobody changes it unseen: see docs/tamper-evidence.md.
///
/// It gives way: of each half second it works for a part, and what it does not come to then it comes to later.
struct Sealing: BesideDuty {
    private static let share = Duration.milliseconds(150)

    let name = "sealing"
    private var sealer: Sealer

    init(interval: Duration = .seconds(60), rowsMax: Int64 = Sealer.rowsMax) {
        sealer = Sealer(interval: interval, rowsMax: rowsMax)
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) {
        let end = ContinuousClock.now + Self.share
        while !Task.isCancelled, ContinuousClock.now < end, let seal = try sealer.advance(on: connection) {
            log.debug(
                "sealed",
                [
                    "seal": "\(seal.number)", "first_batch": "\(seal.batches.lowerBound)",
                    "next_batch": "\(seal.batches.upperBound)", "chain": "\(seal.chain)",
                ])
        }
    }
}
