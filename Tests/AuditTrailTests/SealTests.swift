import AuditTrail
import Testing
import TradeModel

/// A seal as text, and its hash.
@Suite struct SealTests {
    private static let seal = Seal(
        after: nil, upTo: 12,
        contents: SealedTable.allCases.enumerated().map {
            Seal.Content(lines: Int64($0.offset), digest: SHA256.digest(of: $0.element.rawValue))
        }, sealedAt: Timestamp("2026-01-02T03:04:05.678901Z")!)

    @Test func `SHA-256 is that of everybody`() {
        #expect(
            "\(SHA256.digest(of: ""))" == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            "\(SHA256.digest(of: "abc"))" == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let hash = SHA256()
        hash.update([])
        hash.update("a".utf8)
        hash.update("bc".utf8)
        #expect(hash.finish() == SHA256.digest(of: "abc"))
        #expect(hash.finish() == SHA256.digest(of: ""))
    }

    @Test func `a seal says all that its hash covers`() {
        let fields = Self.seal.line.split(separator: "\t")
        #expect(fields.count == Seal.columns.count)
        #expect(fields[..<10] == ["1", "0", "12", "0", "1", "2", "3", "4", "5", "6"])
        #expect(fields[17] == "1767323045678901")
        #expect(
            Self.seal.chain
                == SHA256.digest(of: "\(Digest.zero)\t" + fields[..<18].joined(separator: "\t") + "\n"))
        let next = Seal(after: Self.seal, upTo: 13, contents: Self.seal.contents, sealedAt: Self.seal.sealedAt)
        #expect(next.number == 2 && next.batches == 12..<13 && next.chain == next.chained(to: Self.seal.chain))
        #expect(next.chain != next.chained(to: .zero))
    }

    @Test func `a line is read as it was written, and no other text is one`() {
        #expect(Seal(line: Self.seal.line) == Self.seal)
        let fields = Self.seal.line.split(separator: "\t").map(String.init)
        #expect(Seal(line: fields.dropLast().joined(separator: "\t")) == nil)
        #expect(Seal(line: Self.seal.line + "\t") == nil)
        #expect(Seal(line: "") == nil)
        for (place, text) in [
            (0, "0"), (0, "01"), (0, "+1"), (0, "-1"), (0, "99999999999999999999"), (1, "12"), (2, "x"), (3, "-1"),
            (5, ""),
            (10, String(fields[10].dropLast())), (10, fields[10].uppercased()), (17, "1.5"), (18, "0x"),
            (18, fields[18] + "0"),
        ] {
            var changed = fields
            changed[place] = text
            #expect(Seal(line: changed.joined(separator: "\t")) == nil, "\(place) \(text)")
        }
    }

    @Test(arguments: ["", "1", ":", "1:", "x:00", "-1:\(Digest.zero)", "1:\(Digest.zero)0", "1:\(Digest.zero):1"])
    func `what is no seal with its hash is none`(text: String) {
        #expect(SealMark(text) == nil)
    }

    @Test func `a noted seal is read as it was written`() {
        let mark = SealMark(Self.seal)
        #expect(SealMark("\(mark)") == mark)
        #expect(SealMark("1:" + "\(mark.chain)".uppercased()) == mark)
    }
}
