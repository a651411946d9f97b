import TradeModel

extension RecordRun {
    /// What an engine's records say, each with the place behind it.
    public func outputs() throws(FeedFailure) -> [(position: StreamPosition, output: EngineOutput)] {
        var outputs: [(position: StreamPosition, output: EngineOutput)] = []
        outputs.reserveCapacity(records.count)
        var position = start
        for bytes in records {
            let bytes = Array(bytes)
            position = StreamPosition(
                sequence: position.sequence + 1, hash: RecordBuffer([bytes]).hash(after: position.hash))
            let output: EngineOutput
            do { output = try bytes.withUnsafeBytes { try EngineOutput(bytes: $0) } } catch {
                throw .unreadable(sequence: position.sequence, reason: "cannot be read: \(error)")
            }
            guard output.sequence == UInt64(position.sequence) else {
                throw .unreadable(sequence: position.sequence, reason: "says that it is \(output.sequence)")
            }
            outputs.append((position, output))
        }
        return outputs
    }
}
