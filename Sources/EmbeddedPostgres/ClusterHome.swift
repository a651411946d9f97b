import Foundation
import Glibc

/// Where a cluster and its lock files lie.
///
/// An ordinary user's lie in `DIRECTORY/postgres`. Root's lie in `/var/lib/settle/NAME-HASH`, which the server's user
/// can reach; `DIRECTORY/postgres.location` says so.
struct ClusterHome {
    static let rootParent = "/var/lib/settle"
    static let port = 5432
    /// `sun_path` holds 108 bytes, the last of them zero.
    static let socketPathBytesMax = 107

    let path: String
    let account: ServerAccount
    let socketDirectory: String

    var data: String { "\(path)/data" }
    var serverLog: String { "\(path)/server.log" }
    var usersLock: String { "\(path)/users.lock" }
    var startLock: String { "\(path)/start.lock" }
    var keeperLock: String { "\(path)/keeper.lock" }
    /// There while the running server is known to have our database.
    var databaseMark: String { "\(path)/database.made" }

    /// The home of the cluster that belongs to `directory`, made if it is not there yet.
    static func resolve(_ directory: String, rootParent: String) throws(EmbeddedPostgresError) -> ClusterHome {
        let account = try ServerAccount.current()
        try makeDirectories(directory)
        guard let resolved = realpath(directory, nil) else { throw .system(directory, "find") }
        let owned = String(cString: resolved)
        free(resolved)

        let path: String
        if geteuid() == 0 {
            path = try rootHome(of: owned, under: rootParent)
        } else {
            path = "\(owned)/postgres"
            try makePrivate(path, mode: 0o700, user: account.user, group: account.group)
        }
        return try ClusterHome(at: path, account: account)
    }

    /// Where the home of `directory` is or would be, without making anything; nil where there is no such directory.
    static func existingPath(of directory: String, rootParent: String) -> String? {
        guard let resolved = realpath(directory, nil) else { return nil }
        let owned = String(cString: resolved)
        free(resolved)
        guard geteuid() == 0 else { return "\(owned)/postgres" }
        return readLocation("\(owned)/postgres.location")
    }

    /// Fails where the home of `directory` was made once and is gone.
    static func checkThere(_ directory: String, rootParent: String) throws(EmbeddedPostgresError) {
        guard geteuid() == 0, let resolved = realpath(directory, nil) else { return }
        let note = "\(String(cString: resolved))/postgres.location"
        free(resolved)
        guard let noted = readLocation(note), noted.hasPrefix(rootParent + "/"), access(noted, F_OK) != 0 else {
            return
        }
        throw .lost(path: noted, note: note)
    }

    /// A new home under `/tmp` that nobody else knows.
    static func temporary() throws(EmbeddedPostgresError) -> ClusterHome {
        let account = try ServerAccount.current()
        var template = Array("/tmp/settle-throwaway-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .system("/tmp", "make a directory in") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Root's own directory, but the server's user must pass through it.
        if geteuid() == 0 { chmod(path, 0o711) }
        return try ClusterHome(at: path, account: account)
    }

    private init(at path: String, account: ServerAccount) throws(EmbeddedPostgresError) {
        self.path = path
        self.account = account
        socketDirectory = Self.socketDirectory(forHome: path)
        try Self.makePrivate(socketDirectory, mode: 0o700, user: account.user, group: account.group)
    }

    /// Inside the home, or under `/tmp` where that path is too long for a socket or hard to quote.
    static func socketDirectory(forHome home: String) -> String {
        let inside = "\(home)/socket"
        let plain = inside.utf8.allSatisfy { byte in
            switch UInt8(byte) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: " "):
                true
            default: false
            }
        }
        let fits = "\(inside)/.s.PGSQL.\(port)".utf8.count <= socketPathBytesMax
        return plain && fits ? inside : "/tmp/settle-\(geteuid())-\(hash(home))"
    }

    private static func rootHome(of owned: String, under parent: String) throws(EmbeddedPostgresError) -> String {
        try makeDirectories(parent)
        let note = "\(owned)/postgres.location"
        if let noted = readLocation(note), noted.hasPrefix(parent + "/") {
            // An empty database in its place would look like money that has vanished.
            guard access(noted, F_OK) == 0 else { throw .lost(path: noted, note: note) }
            return noted
        }
        let name = owned.split(separator: "/").dropLast().last ?? "root"
        let plain = name.prefix(24).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let path = "\(parent)/\(String(plain))-\(hash(owned))"
        try makePrivate(path, mode: 0o711, user: 0, group: 0)
        try write("\(path)\n", to: note)
        return path
    }

    /// Under another name first, so that a reader finds all of it or nothing, and any number may write at once.
    private static func write(_ text: String, to path: String) throws(EmbeddedPostgresError) {
        var name = Array("\(path).XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw .system(path, "write") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count, fchmod(file, 0o644) == 0, rename(name, path) == 0
        else {
            let error = EmbeddedPostgresError.system(path, "write")
            unlink(name)
            throw error
        }
    }

    /// The home that a note names, if root wrote the note and the name is one that root would have given.
    private static func readLocation(_ note: String) -> String? {
        let file = open(note, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_uid == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let line = String(decoding: bytes.prefix(count), as: UTF8.self).trimmingCharacters(in: .newlines)
        return line.contains("/../") || line.hasSuffix("/..") ? nil : line
    }

    static func makeDirectories(_ path: String) throws(EmbeddedPostgresError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        guard errno == ENOENT else { throw .system(path, "make the directory") }
        let parent = (path as NSString).deletingLastPathComponent
        guard !parent.isEmpty, parent != path else { throw .system(path, "make the directory") }
        try makeDirectories(parent)
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .system(path, "make the directory") }
    }

    /// Makes a directory of the given user, and refuses one that is there but somebody else's or open to others.
    static func makePrivate(_ path: String, mode: mode_t, user: uid_t, group: gid_t) throws(EmbeddedPostgresError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system(path, "make the directory") }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .system(path, "look at") }
        let isOurs = status.st_mode & S_IFMT == S_IFDIR && (status.st_uid == geteuid() || status.st_uid == user)
        guard isOurs, status.st_mode & 0o777 & ~mode == 0 else { throw .notPrivate(path: path) }
        // Also where it was there already: whoever made it may have been killed before this line.
        guard status.st_uid != geteuid() || (chmod(path, mode) == 0 && lchown(path, user, group) == 0) else {
            throw .system(path, "hand over")
        }
    }

    /// FNV-1a, 64 bits: the same in every run, which `Hasher` is not.
    static func hash(_ text: String) -> String {
        let value = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
