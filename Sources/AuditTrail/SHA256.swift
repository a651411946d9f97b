import CCrypto

/// SHA-256 over bytes that come piece by piece.
public final class SHA256 {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        self.context = context
        begin()
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    private func begin() {
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "libcrypto has SHA-256")
    }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "a digest that was begun goes on")
    }

    public func update(_ bytes: some Sequence<UInt8>) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
        if isDone == nil { Array(bytes).withUnsafeBytes { update($0) } }
    }

    /// The digest of what came since the last one, or since the beginning; the next begins with nothing.
    public func finish() -> Digest {
        var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
        precondition(EVP_DigestFinal_ex(context, &bytes, nil) == 1, "a digest that was begun ends")
        begin()
        return Digest(bytes)!
    }

    public static func digest(of text: String) -> Digest {
        let hash = SHA256()
        hash.update(text.utf8)
        return hash.finish()
    }
}
