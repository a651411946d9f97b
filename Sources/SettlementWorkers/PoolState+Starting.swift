/// Whose turn it is: which lane's next batch is begun.
extension PoolState {
    /// A lane whose worker has a hand free and something to do; of several the one that was passed over most often.
    ///
    /// A lane with crumbs holds them while another that works has a full batch waiting: they would only cost that one
    /// time and accounts. They start with the next batch of any lane, so they wait for one batch at most.
    func nextToStart() -> Int? {
        var begun = 0
        var pausing = 0
        var best: Int?
        var crumbs: Int?
        var isFullElsewhere = false
        for index in lanes.indices {
            let lane = lanes[index]
            if lane.isStalled { pausing += lane.busyCount } else { begun += lane.busyCount }
            if lane.canStart(fullBatchSize: fullBatchSize) {
                if lane.waiting * 2 >= fullBatchSize || lane.passedOver > 0 {
                    if best.map({ lane.passedOver > lanes[$0].passedOver }) ?? true { best = index }
                } else if crumbs == nil {
                    crumbs = index
                }
            } else if !lane.isStalled, lane.waiting >= fullBatchSize {
                isFullElsewhere = true
            }
        }
        guard begun < batchCountMax, begun + pausing < lanes.count else { return nil }
        return best ?? (isFullElsewhere ? nil : crumbs)
    }
}
