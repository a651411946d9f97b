#if !DEBUG
    import Testing
    import TradeFeed

    /// `swift test -c release --filter DecodeSpeedTests` prints what a trade costs.
    @Suite("Decode speed", .serialized)
    struct DecodeSpeedTests {
        @Test(arguments: [
            ("in its envelope", Golden.received, 1), ("alone", Golden.bare, 1),
            ("in an array", "[" + Array(repeating: Golden.received, count: 100).joined(separator: ",") + "]", 100),
        ])
        func `a trade is decoded within ten microseconds`(name: String, message: String, trades: Int) {
            let bytes = Array(message.utf8)
            let rounds = 200_000 / trades
            var decoded = 0
            let elapsed = ContinuousClock().measure {
                for _ in 0..<rounds {
                    decoded += WireDecoder.decodeMessage(bytes, source: "zmq tcp://127.0.0.1:5558").count
                }
            }
            let nanoseconds = elapsed / decoded / .nanoseconds(1)
            print("decoded \(decoded) trades \(name): \(Int(nanoseconds)) ns each")
            #expect(decoded == rounds * trades)
            #expect(nanoseconds < 10_000)
        }
    }
#endif
