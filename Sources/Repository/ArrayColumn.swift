import TradeModel

/// An array in PostgreSQL's binary form, under construction element by element. Copies share what is constructed.
struct ArrayColumn {
    private let element: ParameterType
    private let buffer: BinaryBuffer
    private var count: Int32 = 0
    private var isAllNull = true

    private static let hasNullOffset = 4
    private static let countOffset = 12

    /// - Parameter countMax: how many elements there will be, about.
    init(_ element: ParameterType, countMax: Int) {
        self.element = element
        buffer = BinaryBuffer(capacity: 20 + countMax * element.usualWidth)
        buffer.append(Int32(1))  // dimensions
        buffer.append(Int32(0))  // whether it holds NULL: readers go by the elements
        buffer.append(Int32(element.rawValue))
        buffer.append(Int32(0))  // how many there are
        buffer.append(Int32(1))  // first index
    }

    /// What was appended so far.
    var parameter: Parameter {
        buffer.patch(count, at: Self.countOffset)
        return Parameter(element.array, buffer, nullElement: isAllNull ? element : nil)
    }

    /// - Parameter write: writes one element.
    @inline(__always)
    mutating func append(_ write: (BinaryBuffer) -> Void) {
        let lengthOffset = buffer.count
        buffer.append(Int32(0))
        write(buffer)
        buffer.patch(Int32(buffer.count - lengthOffset - 4), at: lengthOffset)
        count += 1
        isAllNull = false
    }

    mutating func appendNull() {
        buffer.append(Int32(-1))
        buffer.patch(1, at: Self.hasNullOffset)
        count += 1
    }

    mutating func append<Value: FixedWidthInteger>(_ value: Value?) {
        guard let value else { return appendNull() }
        append { $0.append(value) }
    }

    mutating func append(_ value: String?) {
        guard let value else { return appendNull() }
        append { $0.append(text: value) }
    }

    mutating func append(_ value: [UInt8]) {
        append { buffer in value.withUnsafeBytes { buffer.append($0) } }
    }

    mutating func append(_ value: DecimalNumber) {
        append { NumericCodec.encode(value, into: $0) }
    }

    mutating func append(_ value: Amount?) {
        guard let value else { return appendNull() }
        append { NumericCodec.encode(value, into: $0) }
    }

    mutating func append(_ value: Timestamp?) {
        append(value?.sincePostgresEpoch)
    }
}

extension ParameterType {
    /// About how many bytes an element takes, with its length.
    fileprivate var usualWidth: Int {
        switch self {
        case .bool: 5
        case .int4: 8
        case .int8, .timestamptz: 12
        case .numeric: 20
        case .bytea: 68
        default: 20
        }
    }
}
