import Glibc

/// Whether somebody listens on an `ipc://` path.
///
/// libzmq takes such a path away from whoever has it, without a word: the second of two readers would get what is
/// meant for the first.
enum LocalSocket {
    static func isListening(at endpoint: String) -> Bool {
        let scheme = "ipc://"
        guard endpoint.hasPrefix(scheme) else { return false }
        let path = Array(endpoint.utf8.dropFirst(scheme.utf8.count))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A longer path, and a name in the abstract space, are refused by bind itself.
        guard !path.isEmpty, path[0] != UInt8(ascii: "@"), path.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }

        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
