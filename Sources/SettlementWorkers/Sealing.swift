import Repository
import ServiceKit

/// Seals what was committed, so that nobody changes it unseen: see docs/tamper-evidence.md.
///
/// It gives way: after each stretch it rests. What it does not come to under a heavy load it comes to when that ends.
struct Sealing: BesideDuty {
    let name = "sealing"
    private var sealer: Sealer
    private var resting: Resting

    /// - Parameter isCrowded: whether more trades come than are settled.
    init(
        interval: Duration = .seconds(60), rowsMax: Int64 = Sealer.rowsMax, isCrowded: Guarded<Bool> = Guarded(false)
    ) {
        resting = Resting(isCrowded: isCrowded)
        sealer = Sealer(interval: interval, rowsMax: rowsMax)
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool {
        guard resting.isOver else { return false }
        let start = ContinuousClock.now
        guard let seal = try sealer.advance(on: connection) else {
            resting.caughtUp()
            return false
        }
        try resting.begin(afterWorkSince: start, newest: BatchHorizon.newest(on: connection))
        log.debug(
            "sealed",
            [
                "seal": "\(seal.number)", "first_batch": "\(seal.batches.lowerBound)",
                "next_batch": "\(seal.batches.upperBound)", "chain": "\(seal.chain)",
            ])
        return resting.isOver
    }
}
