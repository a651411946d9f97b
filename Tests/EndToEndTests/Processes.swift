import Testing

/// Tests that start processes of their own, many of them in some: one after the other, so that none starves another.
@Suite(.serialized) enum Processes {}

/// Those with an engine, in a line of their own: two of all these at once are what two cores bear.
@Suite(.serialized) enum EngineProcesses {}
