import TradeModel

/// PostgreSQL's binary `numeric`: digits of base 10,000, aligned at the decimal point.
enum NumericCodec {
    private static let negativeSign: UInt16 = 0x4000

    static func encode(_ amount: Amount, into buffer: BinaryBuffer) {
        encode(coefficient: amount.units, scale: 0, into: buffer)
    }

    static func encode(_ number: DecimalNumber, into buffer: BinaryBuffer) {
        encode(coefficient: number.coefficient, scale: number.scale, into: buffer)
    }

    private static func encode(coefficient: Int128, scale: Int, into buffer: BinaryBuffer) {
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 24) { groups in
            // Groups are written from the least significant end of the allocation towards its start.
            var first = groups.count
            var fractionGroups = 0
            let magnitude = coefficient.magnitude
            var whole = magnitude
            if scale > 0 {
                let unit = UInt128(powerOfTen(scale))
                whole = magnitude / unit
                fractionGroups = (scale + 3) / 4
                let padding = UInt128(powerOfTen(fractionGroups * 4 - scale))
                var fraction = (magnitude % unit) * padding
                for _ in 0..<fractionGroups {
                    first -= 1
                    groups[first] = UInt16(truncatingIfNeeded: fraction % 10_000)
                    fraction /= 10_000
                }
            }
            while whole > UInt128(UInt64.max) {
                var low = UInt64(truncatingIfNeeded: whole % 10_000_000_000_000_000)
                whole /= 10_000_000_000_000_000
                for _ in 0..<4 {
                    first -= 1
                    groups[first] = UInt16(truncatingIfNeeded: low % 10_000)
                    low /= 10_000
                }
            }
            var narrow = UInt64(truncatingIfNeeded: whole)
            while narrow > 0 {
                first -= 1
                groups[first] = UInt16(truncatingIfNeeded: narrow % 10_000)
                narrow /= 10_000
            }
            var weight = groups.count - first - fractionGroups - 1
            var end = groups.count
            while first < end, groups[first] == 0 {
                first += 1
                weight -= 1
            }
            while end > first, groups[end - 1] == 0 { end -= 1 }
            if first == end { weight = 0 }
            buffer.append(Int16(truncatingIfNeeded: end - first))
            buffer.append(Int16(truncatingIfNeeded: weight))
            buffer.append(coefficient < 0 ? negativeSign : 0)
            buffer.append(UInt16(truncatingIfNeeded: scale))
            for index in first..<end { buffer.append(groups[index]) }
        }
    }

    /// Returns nil for what our numbers do not hold: NaN, infinity, more than 38 digits, more than 36 behind the point.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> DecimalNumber? {
        func word(_ index: Int) -> UInt16 {
            UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
        }
        guard bytes.count >= 8 else { return nil }
        let groupCount = Int(word(0))
        let weight = Int(Int16(bitPattern: word(1)))
        let sign = word(2)
        guard sign == 0 || sign == negativeSign, bytes.count == 8 + 2 * groupCount else { return nil }
        if groupCount == 0 { return .zero }

        var coefficient: Int128 = 0
        for index in 0..<groupCount - 1 {
            guard coefficient <= Amount.maximum.units / 10_000 else { return nil }
            coefficient = coefficient * 10_000 + Int128(word(4 + index))
        }
        // The last group carries the zeros of the alignment, which must not make a number too long.
        var last = word(3 + groupCount)
        var lastDigits = 4
        while last % 10 == 0, lastDigits > 1 {
            last /= 10
            lastDigits -= 1
        }
        guard coefficient <= Amount.maximum.units / powerOfTen(lastDigits) else { return nil }
        coefficient = coefficient * powerOfTen(lastDigits) + Int128(last)
        let scale = 4 * (groupCount - 1 - weight) - (4 - lastDigits)
        if scale < 0 {
            guard -scale <= 38, coefficient <= Amount.maximum.units / powerOfTen(-scale) else { return nil }
            coefficient *= powerOfTen(-scale)
        }
        return DecimalNumber(sign == 0 ? coefficient : -coefficient, scale: max(0, scale))
    }
}
