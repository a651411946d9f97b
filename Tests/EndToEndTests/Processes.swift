import Testing

/// Tests that start processes of their own, many of them in some: a few at once, so that none starves another.
@Suite(.atMost(3)) enum Processes {}

/// Those with an engine, in a line of their own: with the others that is what two cores bear.
@Suite(.atMost(2)) enum EngineProcesses {}

/// Those that ask what scratch databases are on the server that all tests share: one after the other, and in a line of
/// their own too. Among the others each of them would wait for the whole line, and all would still be there at the end.
@Suite(.serialized) enum Benchmarks {}
