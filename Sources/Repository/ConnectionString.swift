import CPostgres

/// Where a database is, as its user wrote it: a URL, libpq's keywords, or the mere name of a database.
public struct ConnectionString: Sendable {
    public let text: String

    /// Returns nil when libpq cannot read the text, or reads it otherwise than it was surely meant: an '@' or '/' of a
    /// password that is not escaped ends up in the names of host and database, and these are shown in messages.
    public init?(_ text: String) {
        self.text = text
        let isURL = text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
        guard isURL || text.contains("=") else {
            if text.contains("://") { return nil }
            return
        }
        guard let options = PQconninfoParse(text, nil) else { return nil }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                let value = String(cString: value)
                switch String(cString: keyword) {
                case "host" where isURL && value.dropFirst().contains("@") && !value.hasPrefix("/"): return nil
                case "dbname" where isURL && value.contains("/"): return nil
                case "port" where !value.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ",") }):
                    return nil
                default: break
                }
            }
            option += 1
        }
    }
}
