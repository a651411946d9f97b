import Foundation
import HashChain
import TradeFeed
import TradeModel

@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

/// The package manager names the beginning of a program for its module, where libFuzzer has another.
@_cdecl("FuzzDecoders_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
    return runFuzzer(&count, &arguments, fuzz)
}

/// What libFuzzer calls with bytes of its making.
///
/// A trap is a finding, and so is a message that is not written as it was read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let rest = Array(UnsafeBufferPointer(start: bytes + 1, count: count - 1))
    switch bytes[0] {
    case 0: decode(rest)
    case 1: decode(checked(rest))
    case 2: talk(rest)
    case 3: open(rest)
    case 4: header(rest)
    case 5: block(rest)
    case 6: _ = WireDecoder.decodeMessage(rest, source: "fuzz")
    case 7:
        _ = WireDecoder.decodeLine(rest, source: "fuzz")
        _ = WireDecoder.decodeOperationLine(rest, kind: .deposit)
    default: break
    }
    return 0
}

@discardableResult
private func decode(_ bytes: [UInt8]) -> FeedMessage? {
    guard let message = try? FeedMessage(bytes) else { return nil }
    precondition(message.encode() == bytes, "\(message) is written otherwise than it was read")
    if case .batch(let batch) = message { _ = batch.run.isConsistent }
    return message
}

/// The check, made right: no fuzzer finds one by trying.
private func checked(_ bytes: [UInt8]) -> [UInt8] {
    var end = bytes.count - 8
    if bytes.count > 17, bytes[3] == 129 { end = 17 + Int(bytes[16]) + 44 }
    guard end > 0, end + 8 <= bytes.count else { return bytes }
    var bytes = bytes
    let check = bytes[..<end].withUnsafeBytes { HashChain.checksum($0) }
    withUnsafeBytes(of: check.littleEndian) { bytes.replaceSubrange(end..<end + 8, with: $0) }
    return bytes
}

/// The same messages to a publisher and to a consumer, cut at each envelope.
private func talk(_ bytes: [UInt8]) {
    let log = MemoryLog(recordsMax: 100, bytesMax: 10_000)
    _ = try? log.append(RecordBuffer((0..<20).map { [UInt8($0)] }))
    var now = ContinuousClock.now
    var sessions = FeedSessions(stream: Identifier("main")!, epoch: 3)
    var cursor = FeedCursor(
        FeedCursor.Start(consumer: Identifier("settlement")!, instance: 7, after: 0, hash: 0), now: now)
    var starts = bytes.indices.dropLast().filter {
        bytes[$0] == FeedMessage.magic[0] && bytes[$0 + 1] == FeedMessage.magic[1]
    }
    starts.append(bytes.count)
    for (start, end) in zip(starts, starts.dropFirst()) {
        _ = cursor.tick(now: now)
        guard let message = decode(checked(Array(bytes[start..<end]))) else { continue }
        _ = sessions.receive(message, from: [1], now: now)
        for case .deliver(let run) in cursor.receive(message, now: now) {
            _ = cursor.took(run, now: now)
            _ = cursor.acknowledge(run.end.sequence, now: now)
        }
        for _ in 0..<100 {
            guard let read = sessions.nextRead(newest: 20, now: now) else { break }
            let result = Result { () throws(LogFailure) in
                try log.read(from: read.first, recordsMax: 3, bytesMax: 100)
            }
            guard let answer = sessions.answer(read, result, extent: log.extent, now: now) else { continue }
            if case .batch(let batch) = answer.message { sessions.sent(read, batch.run, now: now) }
            _ = cursor.receive(answer.message, now: now)
        }
        _ = sessions.tick(extent: log.extent, now: now)
        _ = (sessions.keptFrom, sessions.status, sessions.deadline, cursor.deadline)
        now += .milliseconds(700)
    }
}

private func header(_ bytes: [UInt8]) {
    guard let header = try? SegmentHeader(bytes[...]) else { return }
    precondition(header.encode() == Array(bytes.prefix(SegmentHeader.byteCount)))
}

private func block(_ bytes: [UInt8]) {
    guard bytes.count > 8 else { return }
    for bytes in [bytes, bytes.withRightChecksum] {
        guard let block = LogBlock(bytes[...]) else { continue }
        _ = block.run.isConsistent
        var encoded: [UInt8] = []
        block.encode(into: &encoded)
        precondition(encoded == Array(bytes.prefix(encoded.count)))
    }
}

extension [UInt8] {
    /// As if all of them were one block.
    fileprivate var withRightChecksum: [UInt8] {
        let checksum = self[8...].withUnsafeBytes { HashChain.checksum($0) }
        return Swift.withUnsafeBytes(of: checksum.littleEndian) { Array($0) } + self[8...]
    }
}

private let folder = FileManager.default.temporaryDirectory.path + "/settle-fuzz-\(getpid())"

/// A log whose file has these bytes: it opens, and can be read and appended to, or is refused.
private func open(_ bytes: [UInt8]) {
    let path = folder + "/00000000000000000001.log"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else { return }
    let settings = SegmentLog.Settings(sync: .onDemand)
    guard let log = try? SegmentLog(folder: folder, settings: settings) else { return }
    var next = log.extent.oldest
    while next <= log.extent.newest.sequence {
        guard let run = try? log.read(from: next, recordsMax: 2, bytesMax: 50), !run.isEmpty else {
            preconditionFailure("a log that opened cannot be read")
        }
        next = run.end.sequence + 1
    }
    guard let end = try? log.append(RecordBuffer([[1, 2, 3]])), end.sequence == next else {
        preconditionFailure("a log that opened takes no record")
    }
}
