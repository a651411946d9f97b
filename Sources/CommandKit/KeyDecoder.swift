/// A key that was pressed, as far as a screen wants to know.
public enum Key: Hashable, Sendable {
    case character(Character)
    case escape
    /// An arrow, a function key and the like.
    case special
}

/// Reads keys from what a terminal sends, which may arrive in parts.
struct KeyDecoder {
    private var pending: [UInt8] = []

    mutating func decode(_ bytes: [UInt8]) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        while let first = pending.first {
            if first == 0x1B {
                guard pending.count > 1 else {
                    pending = []
                    keys.append(.escape)
                    break
                }
                guard let length = sequenceLength else { break }
                pending.removeFirst(length)
                keys.append(.special)
            } else {
                let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
                guard pending.count >= length else { break }
                let text = String(decoding: pending.prefix(length), as: UTF8.self)
                pending.removeFirst(length)
                keys += text.map(Key.character)
            }
        }
        return keys
    }

    /// How long the escape sequence is that has begun; nil while its end has not come.
    private var sequenceLength: Int? {
        switch pending[1] {
        case UInt8(ascii: "["):
            return pending.dropFirst(2).firstIndex { (0x40...0x7E).contains($0) }.map { $0 + 1 }
        case UInt8(ascii: "O"):
            return pending.count > 2 ? 3 : nil
        default:
            return 2
        }
    }
}
