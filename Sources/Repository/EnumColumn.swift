/// Sends values of one of PostgreSQL's enum types as the numbers of their places: looking up a label for each row would
/// cost more than the row.
struct EnumColumn<Value: RawRepresentable & CaseIterable & Equatable & Sendable>: Sendable
where Value.RawValue == String {
    private let type: String
    private let values = Array(Value.allCases)

    init(_ type: String) {
        self.type = type
    }

    /// The SQL for a value whose number is given by an expression.
    func sql(_ number: String) -> String {
        "('{\(values.map(\.rawValue).joined(separator: ","))}'::\(type)[])[\(number)]"
    }

    /// The number of a value, from 1.
    func number(of value: Value) -> Int32 {
        guard let place = values.firstIndex(of: value) else { preconditionFailure("a value is one of all cases") }
        return Int32(place + 1)
    }
}
