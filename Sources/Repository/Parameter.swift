import TradeModel

/// One value of a statement in PostgreSQL's binary form.
public struct Parameter {
    let type: ParameterType
    let buffer: BinaryBuffer?

    private init(_ type: ParameterType, _ buffer: BinaryBuffer?) {
        self.type = type
        self.buffer = buffer
    }

    private init(_ type: ParameterType, _ write: (BinaryBuffer) -> Void) {
        let buffer = BinaryBuffer()
        write(buffer)
        self.init(type, buffer)
    }

    public static func int8(_ value: Int64?) -> Parameter {
        guard let value else { return Parameter(.int8, nil) }
        return Parameter(.int8) { $0.append(value) }
    }

    public static func int4(_ value: Int32) -> Parameter { Parameter(.int4) { $0.append(value) } }

    public static func bool(_ value: Bool) -> Parameter { Parameter(.bool) { $0.append(UInt8(value ? 1 : 0)) } }

    public static func text(_ value: String?) -> Parameter {
        guard let value else { return Parameter(.text, nil) }
        return Parameter(.text) { $0.append(text: value) }
    }

    public static func bytes(_ value: [UInt8]) -> Parameter {
        Parameter(.bytea) { buffer in value.withUnsafeBytes { buffer.append($0) } }
    }

    public static func numeric(_ value: DecimalNumber?) -> Parameter {
        guard let value else { return Parameter(.numeric, nil) }
        return Parameter(.numeric) { NumericCodec.encode(value, into: $0) }
    }

    public static func timestamp(_ value: Timestamp?) -> Parameter {
        guard let value else { return Parameter(.timestamptz, nil) }
        return Parameter(.timestamptz) { $0.append(value.sincePostgresEpoch) }
    }

    // MARK: Arrays, one element for each element of a collection

    static func int8s<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Int64?) -> Parameter {
        array(.int8, of: source, width: 12) { element, buffer in
            guard let value = value(element) else { return false }
            buffer.append(value)
            return true
        }
    }

    static func int4s<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Int32?) -> Parameter {
        array(.int4, of: source, width: 8) { element, buffer in
            guard let value = value(element) else { return false }
            buffer.append(value)
            return true
        }
    }

    static func bools<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Bool) -> Parameter {
        array(.bool, of: source, width: 5) { element, buffer in
            buffer.append(UInt8(value(element) ? 1 : 0))
            return true
        }
    }

    static func texts<Source: Collection>(_ source: Source, _ value: (Source.Element) -> String?) -> Parameter {
        array(.text, of: source, width: 16) { element, buffer in
            guard let value = value(element) else { return false }
            buffer.append(text: value)
            return true
        }
    }

    static func byteArrays<Source: Collection>(_ source: Source, _ value: (Source.Element) -> [UInt8]) -> Parameter {
        array(.bytea, of: source, width: 64) { element, buffer in
            value(element).withUnsafeBytes { buffer.append($0) }
            return true
        }
    }

    static func amounts<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Amount?) -> Parameter {
        array(.numeric, of: source, width: 20) { element, buffer in
            guard let value = value(element) else { return false }
            NumericCodec.encode(value, into: buffer)
            return true
        }
    }

    static func decimals<Source: Collection>(_ source: Source, _ value: (Source.Element) -> DecimalNumber)
        -> Parameter
    {
        array(.numeric, of: source, width: 20) { element, buffer in
            NumericCodec.encode(value(element), into: buffer)
            return true
        }
    }

    static func timestamps<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Timestamp?)
        -> Parameter
    {
        int8s(source) { value($0)?.sincePostgresEpoch }.retyped(as: .timestamptz)
    }

    private func retyped(as element: ParameterType) -> Parameter {
        buffer?.patch(Int32(element.rawValue), at: 8)
        return Parameter(element.array, buffer)
    }

    /// - Parameter append: writes one element, or returns false for NULL.
    private static func array<Source: Collection>(
        _ element: ParameterType, of source: Source, width: Int, append: (Source.Element, BinaryBuffer) -> Bool
    ) -> Parameter {
        let buffer = BinaryBuffer(capacity: 20 + source.count * width)
        buffer.append(Int32(1))  // dimensions
        buffer.append(Int32(0))  // whether it holds NULL: readers go by the elements
        buffer.append(Int32(element.rawValue))
        buffer.append(Int32(source.count))
        buffer.append(Int32(1))  // first index
        for value in source {
            let lengthOffset = buffer.count
            buffer.append(Int32(-1))
            if append(value, buffer) {
                buffer.patch(Int32(buffer.count - lengthOffset - 4), at: lengthOffset)
            } else {
                buffer.patch(1, at: 4)
            }
        }
        return Parameter(element.array, buffer)
    }
}

/// The object ids of the types we send, which PostgreSQL never changes.
enum ParameterType: UInt32 {
    case bool = 16
    case bytea = 17
    case int8 = 20
    case int4 = 23
    case text = 25
    case timestamptz = 1184
    case numeric = 1700
    case boolArray = 1000
    case byteaArray = 1001
    case int4Array = 1007
    case textArray = 1009
    case int8Array = 1016
    case timestamptzArray = 1185
    case numericArray = 1231

    var array: ParameterType {
        switch self {
        case .bool: .boolArray
        case .bytea: .byteaArray
        case .int8: .int8Array
        case .int4: .int4Array
        case .text: .textArray
        case .timestamptz: .timestamptzArray
        case .numeric: .numericArray
        default: preconditionFailure("arrays of arrays are not sent")
        }
    }
}

extension BinaryBuffer {
    fileprivate func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }
}

extension Timestamp {
    /// PostgreSQL counts from 2000-01-01.
    private static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    var sincePostgresEpoch: Int64 { microseconds - Self.postgresEpochMicroseconds }

    init(sincePostgresEpoch microseconds: Int64) {
        self.init(microseconds: microseconds.addingReportingOverflow(Self.postgresEpochMicroseconds).partialValue)
    }
}
