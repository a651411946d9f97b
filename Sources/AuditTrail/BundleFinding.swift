/// Something in a bundle that is not right.
public struct BundleFinding: Hashable, Sendable {
    public let file: String
    /// nil where it is about the file as a whole.
    public let line: Int64?
    public let detail: String

    init(_ file: String, _ line: Int64?, _ detail: String) {
        self.file = file
        self.line = line
        self.detail = detail
    }

    init(_ line: BundleLine, _ detail: String) {
        self.init(line.file, line.number, detail)
    }
}
