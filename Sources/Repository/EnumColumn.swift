/// Sends values of one of PostgreSQL's enum types as the numbers of their places: looking up a label for each row would
/// cost more than the row.
struct EnumColumn<Value: RawRepresentable & CaseIterable & Equatable> where Value.RawValue == String {
    let type: String

    /// The SQL for a value whose number is given by an expression.
    func sql(_ number: String) -> String {
        let labels = Value.allCases.map(\.rawValue).joined(separator: ",")
        return "('{\(labels)}'::\(type)[])[\(number)]"
    }

    /// The number of a value, from 1.
    func number(of value: Value) -> Int32 {
        var number: Int32 = 1
        for other in Value.allCases {
            if other == value { return number }
            number += 1
        }
        preconditionFailure("a value is one of all cases")
    }
}
