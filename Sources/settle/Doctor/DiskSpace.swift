import CommandKit
import Glibc

/// How much room a file system has left for those who are not root.
struct DiskSpace {
    private static let freeBytesMin: Int64 = 1 << 30

    let freeBytes: Int64
    let totalBytes: Int64

    /// Returns nil where the folder cannot be asked about.
    init?(of folder: String) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        let block = Int64(clamping: status.f_frsize)
        freeBytes = Int64(clamping: status.f_bavail).multipliedReportingOverflow(by: block).partialValue
        totalBytes = Int64(clamping: status.f_blocks).multipliedReportingOverflow(by: block).partialValue
    }

    init(freeBytes: Int64, totalBytes: Int64) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }

    func finding(folder: String) -> Finding {
        let name = "disk space"
        let room = "\((freeBytes >> 20).grouped) MB of \((totalBytes >> 20).grouped) MB free in \(folder)"
        if freeBytes < Self.freeBytesMin {
            return .problem(name, "only \(room); without room PostgreSQL stops", remedy: "make room: du -xh \(folder)")
        }
        return freeBytes < totalBytes / 10 ? .remark(name, "only \(room)") : .ok(name, room)
    }
}
