import TradeModel

/// One value of a statement in PostgreSQL's binary form.
public struct Parameter {
    let type: ParameterType
    let buffer: BinaryBuffer?
    /// The type of the elements, where it is an array of nothing but NULL.
    private let nullElement: ParameterType?

    init(_ type: ParameterType, _ buffer: BinaryBuffer?, nullElement: ParameterType? = nil) {
        self.type = type
        self.buffer = buffer
        self.nullElement = nullElement
    }

    /// The same for an array that is unnested beside others that hold something: where all is NULL it is sent empty,
    /// since `unnest` fills it up with NULL, and that costs nothing.
    var emptyIfNull: Parameter {
        guard let nullElement else { return self }
        let buffer = BinaryBuffer()
        buffer.append(Int32(0))  // dimensions
        buffer.append(Int32(0))  // whether it holds NULL
        buffer.append(Int32(nullElement.rawValue))
        return Parameter(type, buffer)
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

    public static func bool(_ value: Bool?) -> Parameter {
        guard let value else { return Parameter(.bool, nil) }
        return Parameter(.bool) { $0.append(UInt8(value ? 1 : 0)) }
    }

    public static func text(_ value: String?) -> Parameter {
        guard let value else { return Parameter(.text, nil) }
        return Parameter(.text) { $0.append(text: value) }
    }

    public static func bytes(_ value: [UInt8]?) -> Parameter {
        guard let value else { return Parameter(.bytea, nil) }
        return Parameter(.bytea) { buffer in value.withUnsafeBytes { buffer.append($0) } }
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
        array(.int8, of: source) { element, column in column.append(value(element)) }
    }

    static func int4s<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Int32?) -> Parameter {
        array(.int4, of: source) { element, column in column.append(value(element)) }
    }

    static func bools<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Bool) -> Parameter {
        array(.bool, of: source) { element, column in column.append(UInt8(value(element) ? 1 : 0)) }
    }

    static func texts<Source: Collection>(_ source: Source, _ value: (Source.Element) -> String?) -> Parameter {
        array(.text, of: source) { element, column in column.append(value(element)) }
    }

    static func byteArrays<Source: Collection>(_ source: Source, _ value: (Source.Element) -> [UInt8]) -> Parameter {
        array(.bytea, of: source) { element, column in column.append(value(element)) }
    }

    static func amounts<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Amount?) -> Parameter {
        array(.numeric, of: source) { element, column in column.append(value(element)) }
    }

    static func decimals<Source: Collection>(_ source: Source, _ value: (Source.Element) -> DecimalNumber)
        -> Parameter
    {
        array(.numeric, of: source) { element, column in column.append(value(element)) }
    }

    static func timestamps<Source: Collection>(_ source: Source, _ value: (Source.Element) -> Timestamp?)
        -> Parameter
    {
        array(.timestamptz, of: source) { element, column in column.append(value(element)) }
    }

    private static func array<Source: Collection>(
        _ type: ParameterType, of source: Source, append: (Source.Element, inout ArrayColumn) -> Void
    ) -> Parameter {
        var column = ArrayColumn(type, countMax: source.count)
        for element in source { append(element, &column) }
        return column.parameter
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
    func append(text: String) {
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
