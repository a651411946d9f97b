import HashChain

/// What passes between an engine and those who give it orders: one question, one answer with its number.
public enum EntryMessage: Hashable, Sendable {
    /// An engine's command in its own bytes. The time in it is not looked at: the engine's is put in its place.
    case command(UInt64, [UInt8])
    /// A question, as JSON.
    case query(UInt64, [UInt8])
    /// The wish that an engine that follows another lead in its place, as JSON.
    case promote(UInt64, [UInt8])
    /// The wish that an engine keep nothing any longer for a consumer that will not come back, as JSON.
    case forget(UInt64, [UInt8])
    /// What came of a command: the engine's record of it.
    case record(UInt64, [UInt8])
    /// The answer to a query or a wish, as JSON.
    case answer(UInt64, [UInt8])
    case refused(UInt64, Refusal, String)

    public enum Refusal: UInt8, Sendable {
        /// The message is none, or what is in it is not what it should be.
        case malformed = 1
        /// This engine does not lead.
        case notLeading = 2
        /// It is about to end, and takes nothing more.
        case stopping = 3
        /// It follows another, and may not lead in its place as things are.
        case mayNotLead = 4
    }

    public static let magic: [UInt8] = Array("SE".utf8)
    public static let version: UInt8 = 1
    public static let bytesMax = 8 << 20
    /// What an asker sends: a command or a question, both small.
    public static let questionBytesMax = 64 << 10

    private enum Kind: UInt8 {
        case command = 1
        case query = 2
        case promote = 3
        case forget = 4
        case record = 129
        case answer = 130
        case refused = 131
    }

    /// The number by which an answer belongs to its question.
    public var number: UInt64 {
        switch self {
        case .command(let number, _), .query(let number, _), .promote(let number, _), .forget(let number, _),
            .record(let number, _), .answer(let number, _), .refused(let number, _, _):
            number
        }
    }

    public func encode() -> [UInt8] {
        let (kind, body): (Kind, [UInt8]) =
            switch self {
            case .command(_, let bytes): (.command, bytes)
            case .query(_, let bytes): (.query, bytes)
            case .promote(_, let bytes): (.promote, bytes)
            case .forget(_, let bytes): (.forget, bytes)
            case .record(_, let bytes): (.record, bytes)
            case .answer(_, let bytes): (.answer, bytes)
            case .refused(_, let refusal, let text): (.refused, [refusal.rawValue] + Array(text.utf8))
            }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 20)
        bytes += Self.magic
        bytes += [Self.version, kind.rawValue]
        bytes.append(number: number)
        bytes += body
        bytes.append(number: bytes.withUnsafeBytes { HashChain.checksum($0) })
        return bytes
    }

    /// Reads a message; any bytes are one, or refused with what is wrong with them.
    public init(_ bytes: [UInt8]) throws(MalformedEntryMessage) {
        guard bytes.count <= Self.bytesMax else { throw .tooLarge }
        guard bytes.starts(with: Self.magic) else { throw .otherProtocol }
        guard bytes.count >= 20 else { throw .tooShort }
        guard bytes[2] == Self.version else { throw .otherVersion(bytes[2]) }
        let end = bytes.count - 8
        let checksum = bytes[..<end].withUnsafeBytes { HashChain.checksum($0) }
        guard checksum == Self.number(bytes[end...]) else { throw .damaged }
        let number = Self.number(bytes[4..<12])
        let body = Array(bytes[12..<end])
        switch Kind(rawValue: bytes[3]) {
        case .command: self = .command(number, body)
        case .query: self = .query(number, body)
        case .promote: self = .promote(number, body)
        case .forget: self = .forget(number, body)
        case .record: self = .record(number, body)
        case .answer: self = .answer(number, body)
        case .refused:
            guard let code = body.first, let refusal = Refusal(rawValue: code) else { throw .unknownKind }
            self = .refused(number, refusal, String(decoding: body.dropFirst(), as: UTF8.self))
        case nil: throw .unknownKind
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Why bytes are no message between an engine and those who give it orders.
public enum MalformedEntryMessage: Error, Hashable, Sendable, CustomStringConvertible {
    case otherProtocol, tooShort, tooLarge, damaged, unknownKind
    case otherVersion(UInt8)

    public var description: String {
        switch self {
        case .otherProtocol: "this is no message for an engine"
        case .tooShort: "the message ends too soon"
        case .tooLarge: "the message has more than \(EntryMessage.bytesMax) bytes"
        case .damaged: "the message is not as it was sent"
        case .unknownKind: "no message has such a kind"
        case .otherVersion(let version): "version \(version) is not spoken here"
        }
    }
}
