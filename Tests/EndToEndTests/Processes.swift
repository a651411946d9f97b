import Testing

/// Tests that start processes of their own, many of them in some: one after the other, so that none starves another.
@Suite(.serialized) enum Processes {}
