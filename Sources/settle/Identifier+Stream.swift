import CommandKit
import TradeModel

extension Identifier {
    /// What the output of an engine is called unless somebody says otherwise.
    static let main = Identifier(stored: "main")

    /// The name of a stream; short enough to stand in the key of whatever an engine does.
    init?(streamName: String) {
        guard streamName.utf8.count <= 40 else { return nil }
        self.init(streamName)
    }
}
