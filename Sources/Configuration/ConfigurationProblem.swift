/// What is wrong at one place of a configuration file, or with one variable, and what to do.
public struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, or nil if it is a variable.
    public var file: String?
    /// Nil where the file as a whole is meant.
    public var line: Int?
    /// The key or variable that it is about, if any.
    public var key: String?
    /// In one line, without a full stop.
    public var message: String
    /// The name that was most likely meant.
    public var suggestion: String?

    /// `config/settle.yaml:12: unknown key 'queue.capcity'. Did you mean 'queue.capacity'?`
    public var description: String {
        let place = file.map { $0 + (line.map { ":\($0)" } ?? "") + ": " } ?? ""
        return place + message + (suggestion.map { ". Did you mean '\($0)'?" } ?? "")
    }
}
