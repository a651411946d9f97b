/// A ZeroMQ message as it arrived.
public struct IntakeMessage: Hashable, Sendable {
    /// Its parts one after the other, up to `WireLimits.messageBytesMax`.
    public var bytes: [UInt8]
    /// One in every message of wire version 1.
    public var parts: Int
    /// What arrived, of which `bytes` may hold less when there were several parts.
    public var byteCount: Int

    public init(bytes: [UInt8], parts: Int = 1, byteCount: Int? = nil) {
        self.bytes = bytes
        self.parts = parts
        self.byteCount = byteCount ?? bytes.count
    }
}
