import Testing

/// Tests that start processes of their own, many of them in some: a few at once, so that none starves another.
@Suite(.atMost(3)) enum Processes {}

/// Those with an engine, in a line of their own: with the others that is what two cores bear.
@Suite(.serialized) enum EngineProcesses {}

extension Processes {
    /// Those that ask what scratch databases are on the server that all tests share: one after the other.
    @Suite(.serialized) enum Benchmarks {}
}
