#if !DEBUG
    import ServiceKit
    import Testing
    import TradeFeed
    import TradeModel

    /// `swift test -c release --filter FeedSpeedTests` prints how fast a log and a feed over loopback are.
    @Suite("Feed speed", .serialized, .timeLimit(.minutes(10)))
    struct FeedSpeedTests {
        private static let count = 2_000_000
        private let clock = ContinuousClock()

        private func log(_ kind: String, _ folder: TemporaryFolder) throws -> any RecordLog {
            kind == "memory"
                ? MemoryLog(recordsMax: 10_000_000, bytesMax: 1_000_000_000) : try SegmentLog(folder: folder.path)
        }

        private func fill(_ log: any RecordLog, then wake: () -> Void = {}) throws {
            let record = [UInt8](repeating: 7, count: 100)
            let records = RecordBuffer(repeatElement(record, count: 100))
            for _ in 0..<Self.count / 100 {
                try log.append(records)
                wake()
            }
        }

        private func perSecond(_ duration: Duration) -> Int { Int(Double(Self.count) / (duration / .seconds(1))) }

        @Test(arguments: ["memory", "segments"])
        func `a million records of 100 bytes pass in less than ten seconds`(kind: String) async throws {
            let folder = try TemporaryFolder()
            let log = try log(kind, folder)
            let appending = try clock.measure { try fill(log) }
            print("\(kind): appended \(perSecond(appending)) records/s")
            for isLive in [false, true] {
                let folder = try TemporaryFolder()
                let log = isLive ? try self.log(kind, folder) : log
                let publisher = try FeedPublisher(
                    endpoint: "tcp://127.0.0.1:*", stream: FeedFixture.stream, epoch: 1, log: log)
                let consumer = try FeedConsumer(
                    endpoint: publisher.endpoint,
                    start: FeedCursor.Start(consumer: Identifier("a")!, instance: 1, after: 0, hash: 0))
                let begin = clock.now
                try await publisher.whileRunning {
                    try await consumer.whileRunning {
                        async let filled: Void =
                            isLive ? try fill(log, then: { publisher.recordsWereAdded() }) : ()
                        var taken = 0
                        while taken < Self.count, let run = try await consumer.next() { taken += run.records.count }
                        try await filled
                    }
                }
                let elapsed = begin.duration(to: clock.now)
                print("\(kind), \(isLive ? "live" : "replay"): \(perSecond(elapsed)) records/s")
                #expect(elapsed < .seconds(20))
            }
        }
    }
#endif
