/// Texts in which passwords may stand, for eyes that must not see them.
public enum Secret {
    /// What stands for a password.
    public static let mask = "********"

    /// A database URL, or libpq's keywords, with the passwords hidden. Hides too much rather than too little.
    public static func masked(_ text: String) -> String {
        var text = text
        if let scheme = text.firstRange(of: "://"), let at = text.lastIndex(of: "@"), scheme.upperBound <= at {
            // A '/' or '@' of a password should have been escaped, and perhaps was not: up to the last '@'.
            let user = text[scheme.upperBound..<at].prefix { $0 != ":" }
            if user.endIndex < at { text.replaceSubrange(user.endIndex..<at, with: ":\(mask)") }
        }
        // libpq also reads escapes in the names of parameters.
        if let query = text.firstIndex(of: "?"), text[query...].contains("%") {
            text.replaceSubrange(text.index(after: query)..., with: mask)
        }
        let password = #/(?i)(password\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:\\.|[^\s\\&])*)/#
        return text.replacing(password) { "\($0.1)\(mask)" }
    }
}
