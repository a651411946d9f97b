import HashChain
import Testing

@Suite struct HashChainTests {
    private func hash(_ records: [[UInt8]]) -> UInt64 {
        records.reduce(into: HashChain.start) { $0.append($1) }.value
    }

    @Test func `the hash of known records stays what it is`() {
        #expect(hash([]) == 0)
        // XXH3-64 of nothing, as the library's own tests have it.
        #expect(hash([[]]) == 0x2D06_8005_38D3_94C2)
        #expect(hash([Array("trade".utf8), Array("deposit".utf8)]) == 0x568E_362A_7B1E_64C2)
    }

    @Test func `order, borders and every byte count`() {
        let whole = hash([[1, 2], [3]])
        #expect(whole == hash([[1, 2], [3]]))
        for other: [[UInt8]] in [[[3], [1, 2]], [[1], [2, 3]], [[1, 2, 3]], [[1, 2], [2]], [[1, 2], [3], []]] {
            #expect(hash(other) != whole, "\(other)")
        }
    }
}
