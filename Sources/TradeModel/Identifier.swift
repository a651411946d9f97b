/// The id of an account, a trade, an order or an operation, as its owner writes it: text of 1 to 64 bytes.
///
/// Two ids are the same when their bytes are. Swift's `String` also calls "é" and "e" with a combining accent
/// equal, which PostgreSQL does not: two customers must never become one.
public struct Identifier: Sendable {
    public let text: String

    public static let byteCountMax = 64

    /// Returns nil when the text is empty, longer than 64 bytes or holds control characters.
    public init?(_ text: String) {
        var text = text
        let acceptable = text.withUTF8 { bytes in
            (1...Self.byteCountMax).contains(bytes.count) && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        }
        guard acceptable else { return nil }
        self.text = text
    }

    /// Whether it begins or ends with a blank, which nobody sees; such ids are refused where they would be new.
    public var hasOuterBlanks: Bool {
        // Unicode's tables are asked only where it is not one of the usual characters.
        func isBlank(_ scalar: Unicode.Scalar?) -> Bool {
            guard let scalar else { return false }
            return scalar.isASCII ? scalar.value <= 0x20 : scalar.properties.isWhitespace
        }
        return isBlank(text.unicodeScalars.first) || isBlank(text.unicodeScalars.last)
    }

    /// An id as a table has it, where somebody may have put what no message could say. It is only good for naming it.
    public init(stored text: String) {
        self.text = text
    }

    public init(_ number: UInt64) {
        text = String(number)
    }
}

extension Identifier: Hashable {
    public static func == (left: Identifier, right: Identifier) -> Bool {
        var left = left.text
        var right = right.text
        return left.withUTF8 { leftBytes in
            right.withUTF8 { rightBytes in
                leftBytes.count == rightBytes.count && leftBytes.elementsEqual(rightBytes)
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension Identifier: Comparable {
    /// Byte order, which is PostgreSQL's order under collation "C".
    public static func < (left: Identifier, right: Identifier) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension Identifier: CustomStringConvertible {
    public var description: String { text }
}
