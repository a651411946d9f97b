import Testing
import TradeFeed
import TradeModel

@Suite("Places of consumers on disk")
struct FeedPlaceFileTests {
    private let places = [
        FeedPlace(consumer: Identifier("settlement")!, acknowledged: 1_042),
        FeedPlace(consumer: Identifier("a name of words")!, acknowledged: 0),
    ]

    @Test func `what was saved is loaded, and replaced as a whole`() throws {
        let folder = try TemporaryFolder()
        let file = FeedPlaceFile(path: folder.path + "/places")
        #expect(try file.load() == [])
        try file.save(places)
        #expect(try file.load() == places)
        try file.save([])
        #expect(try file.load() == [])
    }

    @Test func `a file that is not as it was written is refused`() throws {
        let folder = try TemporaryFolder()
        let file = FeedPlaceFile(path: folder.path + "/places")
        try file.save(places)
        let bytes = try folder.bytes(of: file.path)
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            try folder.write(changed, to: file.path)
            #expect(throws: LogFailure.self) { try file.load() }
            try folder.write(Array(bytes[..<place]), to: file.path)
            #expect(throws: LogFailure.self) { try file.load() }
        }
        #expect(throws: LogFailure.self) {
            try FeedFixture.publisher("ipc://*", MemoryLog(recordsMax: 1, bytesMax: 1), placeFile: file.path)
        }
    }
}
