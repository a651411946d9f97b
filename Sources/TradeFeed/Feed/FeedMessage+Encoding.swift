import HashChain
import TradeModel

extension FeedMessage {
    public static let magic: [UInt8] = Array("SF".utf8)
    public static let version: UInt8 = 1

    enum Kind: UInt8 {
        case subscribe = 1
        case credit = 2
        case ack = 3
        case alive = 4
        case leave = 5
        case batch = 129
        case heartbeat = 130
        case refused = 131
    }

    var kind: Kind {
        switch self {
        case .subscribe: .subscribe
        case .credit: .credit
        case .ack: .ack
        case .alive: .alive
        case .leave: .leave
        case .batch: .batch
        case .heartbeat: .heartbeat
        case .refused: .refused
        }
    }

    public func encode() -> [UInt8] {
        var bytes = encodeHead()
        if case .batch(let batch) = self { bytes.append(contentsOf: batch.run.records.bytes) }
        return bytes
    }

    /// Everything but the records of a batch, which stand at its end as they are and need not be copied for it.
    func encodeHead() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(192)
        switch self {
        case .subscribe(let subscribe):
            bytes.begin(.subscribe, subscribe.sender)
            bytes.append(text: subscribe.stream?.text ?? "")
            bytes.append(number: subscribe.epoch)
            bytes.append(number: subscribe.first)
            bytes.append(number: subscribe.hash ?? 0)
            bytes.append(number: subscribe.durable)
            bytes.append(number: subscribe.credit)
            let flags: UInt8 =
                (subscribe.hash == nil ? 0 : 1) | (subscribe.keepsPlace ? 2 : 0) | (subscribe.isReplica ? 4 : 0)
            bytes.append(number: flags)
        case .credit(let sender, let total):
            bytes.begin(.credit, sender)
            bytes.append(number: total)
        case .ack(let sender, let sequence):
            bytes.begin(.ack, sender)
            bytes.append(number: sequence)
        case .alive(let sender, let position):
            bytes.begin(.alive, sender)
            bytes.append(position)
        case .leave(let sender):
            bytes.begin(.leave, sender)
        case .batch(let batch):
            bytes.begin(.batch)
            bytes.append(batch.subscription)
            bytes.append(text: batch.stream.text)
            bytes.append(number: batch.epoch)
            bytes.append(number: batch.newest)
            bytes.append(number: batch.run.first)
            bytes.append(number: UInt32(batch.run.records.count))
            bytes.append(number: batch.run.start.hash)
            bytes.append(number: batch.run.end.hash)
        case .heartbeat(let heartbeat):
            bytes.begin(.heartbeat)
            bytes.append(heartbeat.subscription)
            bytes.append(number: heartbeat.epoch)
            bytes.append(heartbeat.newest)
            bytes.append(number: heartbeat.sent)
        case .refused(let refused):
            bytes.begin(.refused)
            bytes.append(refused.subscription)
            bytes.append(number: refused.reason.rawValue)
            bytes.append(number: refused.oldest)
            bytes.append(refused.newest)
            let text = refused.text.cut(toBytes: FeedLimits.refusalTextBytesMax)
            bytes.append(number: UInt16(text.count))
            bytes.append(contentsOf: text)
        }
        bytes.append(number: bytes.withUnsafeBytes { HashChain.checksum($0) })
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func begin(_ kind: FeedMessage.Kind) {
        append(contentsOf: FeedMessage.magic)
        append(FeedMessage.version)
        append(kind.rawValue)
    }

    fileprivate mutating func begin(_ kind: FeedMessage.Kind, _ sender: FeedSender) {
        begin(kind)
        append(sender.subscription)
        append(text: sender.consumer.text)
    }

    fileprivate mutating func append(_ subscription: FeedSubscription) {
        append(number: subscription.instance)
        append(number: subscription.attempt)
    }

    fileprivate mutating func append(_ position: StreamPosition) {
        append(number: position.sequence)
        append(number: position.hash)
    }

    /// Up to 255 bytes, behind their number.
    fileprivate mutating func append(text: String) {
        append(UInt8(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}

extension String {
    /// As many whole characters as fit.
    fileprivate func cut(toBytes byteCountMax: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in unicodeScalars {
            let next = Array(UTF8.encode(scalar)!)
            guard bytes.count + next.count <= byteCountMax else { break }
            bytes += next
        }
        return bytes
    }
}
