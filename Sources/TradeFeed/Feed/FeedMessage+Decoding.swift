import HashChain
import TradeModel

extension FeedMessage {
    /// Reads a message. Any bytes are a message, or refused with what is wrong with them; equal messages have equal
    /// bytes.
    ///
    /// The records of a batch share the memory of the bytes. Whether its hash is right is not looked at here.
    public init(_ bytes: [UInt8]) throws(MalformedFeedMessage) {
        guard bytes.count <= FeedLimits.messageBytesMax else { throw .tooLarge(byteCount: bytes.count) }
        var reader = MessageReader(bytes)
        guard reader.bytes.rest.starts(with: Self.magic), reader.bytes.bytes(Self.magic.count) != nil else {
            throw .otherProtocol
        }
        let version = try reader.number(UInt8.self)
        guard version == Self.version else { throw .otherVersion(version) }
        let code = try reader.number(UInt8.self)
        guard let kind = Kind(rawValue: code) else { throw .unknownKind(code) }
        switch kind {
        case .subscribe: self = .subscribe(try reader.subscribe())
        case .credit: self = .credit(try reader.sender(), total: try reader.number(UInt64.self))
        case .ack: self = .ack(try reader.sender(), try reader.sequence("the sequence"))
        case .alive: self = .alive(try reader.sender(), try reader.position())
        case .leave: self = .leave(try reader.sender())
        case .batch: self = .batch(try reader.batch())
        case .heartbeat: self = .heartbeat(try reader.heartbeat())
        case .refused: self = .refused(try reader.refused())
        }
        if kind != .batch { try reader.check() }
        guard reader.bytes.rest.isEmpty else { throw .wrongLength }
    }
}

/// Reads the fields of a message one after the other.
private struct MessageReader {
    private let whole: [UInt8]
    var bytes: SliceReader

    init(_ bytes: [UInt8]) {
        whole = bytes
        self.bytes = SliceReader(bytes[...])
    }

    /// What was read so far is what was sent.
    mutating func check() throws(MalformedFeedMessage) {
        let checked = whole.count - bytes.rest.count
        guard try number(UInt64.self) == whole[..<checked].withUnsafeBytes({ HashChain.checksum($0) }) else {
            throw .damaged
        }
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(MalformedFeedMessage) -> Number {
        guard let number = bytes.number(type) else { throw .wrongLength }
        return number
    }

    mutating func sequence(_ field: String) throws(MalformedFeedMessage) -> Int64 {
        let number = try number(Int64.self)
        guard (0...LogLimits.sequenceMax).contains(number) else { throw .unacceptable(field) }
        return number
    }

    mutating func position() throws(MalformedFeedMessage) -> StreamPosition {
        StreamPosition(sequence: try sequence("the sequence"), hash: try number(UInt64.self))
    }

    mutating func subscription() throws(MalformedFeedMessage) -> FeedSubscription {
        FeedSubscription(instance: try number(UInt64.self), attempt: try number(UInt32.self))
    }

    mutating func sender() throws(MalformedFeedMessage) -> FeedSender {
        let subscription = try subscription()
        guard let consumer = try name("the consumer's name") else { throw .unacceptable("the consumer's name") }
        return FeedSender(consumer: consumer, subscription: subscription)
    }

    /// Nil where it is empty.
    mutating func name(_ field: String) throws(MalformedFeedMessage) -> Identifier? {
        let byteCount = Int(try number(UInt8.self))
        guard let text = bytes.bytes(byteCount) else { throw .wrongLength }
        guard !text.isEmpty else { return nil }
        guard let text = String(validating: text, as: UTF8.self), let name = Identifier(text), !name.hasOuterBlanks
        else { throw .unacceptable(field) }
        return name
    }

    mutating func subscribe() throws(MalformedFeedMessage) -> FeedMessage.Subscribe {
        let sender = try sender()
        let stream = try name("the stream's name")
        let epoch = try epoch()
        let first = try sequence("the first sequence")
        let hash = try number(UInt64.self)
        let durable = try sequence("the durable sequence")
        let credit = try number(UInt32.self)
        let flags = try number(UInt8.self)
        guard first > 0 else { throw .unacceptable("the first sequence") }
        guard durable < first else { throw .unacceptable("the durable sequence") }
        guard flags <= 7, flags & 1 == 1 || hash == 0 else { throw .unacceptable("the flags") }
        return FeedMessage.Subscribe(
            sender: sender, stream: stream, epoch: epoch, first: first, hash: flags & 1 == 1 ? hash : nil,
            durable: durable, credit: credit, keepsPlace: flags & 2 == 2, isReplica: flags & 4 == 4)
    }

    /// So far from the largest number that one may count on from it.
    private mutating func epoch() throws(MalformedFeedMessage) -> UInt64 {
        let epoch = try number(UInt64.self)
        guard epoch <= UInt64(LogLimits.sequenceMax) else { throw .unacceptable("the epoch") }
        return epoch
    }

    mutating func batch() throws(MalformedFeedMessage) -> FeedMessage.Batch {
        let subscription = try subscription()
        guard let stream = try name("the stream's name") else { throw .unacceptable("the stream's name") }
        let epoch = try epoch()
        let newest = try sequence("the newest sequence")
        let first = try sequence("the first sequence")
        let count = try number(UInt32.self)
        let hashBefore = try number(UInt64.self)
        let hashAfter = try number(UInt64.self)
        try check()
        guard first > 0, first <= LogLimits.sequenceMax - Int64(count) else {
            throw .unacceptable("the first sequence")
        }
        guard count > 0, Int(count) * RecordBuffer.lengthBytes <= bytes.rest.count,
            let records = RecordBuffer(
                checking: whole, in: (whole.count - bytes.rest.count)..<whole.count, count: Int(count))
        else { throw .wrongLength }
        _ = bytes.bytes(bytes.rest.count)
        let run = RecordRun(
            start: StreamPosition(sequence: first - 1, hash: hashBefore),
            end: StreamPosition(sequence: first - 1 + Int64(count), hash: hashAfter), records: records)
        return FeedMessage.Batch(
            subscription: subscription, stream: stream, epoch: epoch, newest: newest, run: run)
    }

    mutating func heartbeat() throws(MalformedFeedMessage) -> FeedMessage.Heartbeat {
        FeedMessage.Heartbeat(
            subscription: try subscription(), epoch: try epoch(), newest: try position(),
            sent: try sequence("the sequence sent"))
    }

    mutating func refused() throws(MalformedFeedMessage) -> FeedMessage.Refused {
        let subscription = try subscription()
        guard let reason = FeedMessage.Reason(rawValue: try number(UInt8.self)) else {
            throw .unacceptable("the reason")
        }
        let oldest = try sequence("the oldest sequence")
        let newest = try position()
        let byteCount = Int(try number(UInt16.self))
        guard byteCount <= FeedLimits.refusalTextBytesMax else { throw .unacceptable("the text") }
        guard let bytes = bytes.bytes(byteCount) else { throw .wrongLength }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .unacceptable("the text") }
        return FeedMessage.Refused(
            subscription: subscription, reason: reason, oldest: oldest, newest: newest, text: text)
    }
}
