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

    /// Whether it is the mere name of a database, at the place that libpq takes where none is named.
    public var isName: Bool { !text.isEmpty && !text.contains("=") && !text.contains("://") }

    /// The same place with some of libpq's keywords set anew, in keyword form.
    public func setting(_ changes: KeyValuePairs<String, String>) -> ConnectionString? {
        var settings = parsed.map { (keyword: $0.keyword, value: $0.value) }
        for (keyword, value) in changes {
            settings.removeAll { $0.keyword == keyword }
            settings.append((keyword, value))
        }
        return ConnectionString(
            settings.map { keyword, value in
                let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
                return "\(keyword)='\(escaped)'"
            }.joined(separator: " "))
    }

    /// The value of a keyword, if the text gives one.
    public func value(of keyword: String) -> String? {
        parsed.first { $0.keyword == keyword }?.value
    }

    /// The same as environment variables, for a program that shall not show a password among its arguments.
    public var environment: [String: String] {
        Dictionary(
            parsed.compactMap { setting in setting.variable.map { ($0, setting.value) } }, uniquingKeysWith: { $1 })
    }

    /// What the text sets, with the variable that would do the same.
    private var parsed: [(keyword: String, value: String, variable: String?)] {
        if text.isEmpty { return [] }
        if isName { return [("dbname", text, "PGDATABASE")] }
        guard let options = PQconninfoParse(text, nil) else { return [] }
        defer { PQconninfoFree(options) }
        var settings: [(keyword: String, value: String, variable: String?)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                settings.append(
                    (
                        String(cString: keyword), String(cString: value),
                        option.pointee.envvar.map { String(cString: $0) }
                    ))
            }
            option += 1
        }
        return settings
    }
}
