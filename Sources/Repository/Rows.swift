import CPostgres
import TradeModel

/// The rows of one answer, decoded from their binary form as they are asked for.
public final class Rows {
    private let result: OpaquePointer

    /// Takes ownership of a libpq result.
    init(owning result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    public var count: Int { Int(PQntuples(result)) }
    public var indices: Range<Int> { 0..<count }

    /// How many rows a statement wrote.
    public var affected: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// The command tag, such as `COMMIT`.
    public var command: String { String(cString: PQcmdStatus(result)) }

    public func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(result, Int32(row), Int32(column)) == 1
    }

    public func int64(_ row: Int, _ column: Int) -> Int64 {
        Int64(bigEndian: bytes(row, column).loadUnaligned(as: Int64.self))
    }

    public func int32(_ row: Int, _ column: Int) -> Int32 {
        Int32(bigEndian: bytes(row, column).loadUnaligned(as: Int32.self))
    }

    public func int16(_ row: Int, _ column: Int) -> Int16 {
        Int16(bigEndian: bytes(row, column).loadUnaligned(as: Int16.self))
    }

    public func bool(_ row: Int, _ column: Int) -> Bool {
        bytes(row, column)[0] != 0
    }

    public func string(_ row: Int, _ column: Int) -> String {
        String(decoding: bytes(row, column), as: UTF8.self)
    }

    public func byteArray(_ row: Int, _ column: Int) -> [UInt8] {
        Array(bytes(row, column))
    }

    public func timestamp(_ row: Int, _ column: Int) -> Timestamp {
        Timestamp(sincePostgresEpoch: int64(row, column))
    }

    /// nil for a number that is none of ours: NaN, or more digits than 38.
    public func decimal(_ row: Int, _ column: Int) -> DecimalNumber? {
        NumericCodec.decode(bytes(row, column))
    }

    /// A `numeric(38, 0)`.
    public func amount(_ row: Int, _ column: Int) -> Amount {
        guard let amount = decimal(row, column)?.amount(decimals: 0) else {
            preconditionFailure("a numeric(38, 0) column holds a whole number of at most 38 digits")
        }
        return amount
    }

    public func optional<Value>(_ row: Int, _ column: Int, _ read: (Int, Int) -> Value) -> Value? {
        isNull(row, column) ? nil : read(row, column)
    }

    private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(result, Int32(row), Int32(column)),
            count: Int(PQgetlength(result, Int32(row), Int32(column))))
    }
}
