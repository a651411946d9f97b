/// A small file that is there as a whole or not at all, whatever fails.
public enum DurableFile {
    /// Puts the bytes in place of what was there, and returns when they would survive the machine's failure.
    public static func write(_ bytes: [UInt8], to path: String) throws(LogFailure) {
        let new = path + ".new"
        let file = try LogFile.open(new, writable: true, creating: true)
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
        try file.sync()
        try LogFile.rename(new, to: path)
        try LogFile.syncFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    }

    public static func read(_ path: String) throws(LogFailure) -> [UInt8] {
        let file = try LogFile.open(path, writable: false)
        return try file.read(at: 0, byteCount: Int(try file.byteCount()))
    }

    public static func remove(_ path: String) throws(LogFailure) {
        try LogFile.remove(path)
    }

    /// The names in a folder, which is made if it is not there.
    public static func names(inFolder path: String) throws(LogFailure) -> [String] {
        try LogFile.names(inFolder: path)
    }
}
