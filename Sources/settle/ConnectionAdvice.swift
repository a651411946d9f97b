/// What helps when no connection to a server came about, by what the message says.
struct ConnectionAdvice {
    /// A sentence, for the line of an error.
    let hint: String
    /// A command to type, or what to do where there is none; for the doctor.
    let remedy: String

    private init(_ hint: String, _ remedy: String) {
        self.hint = hint
        self.remedy = remedy
    }

    /// The server is there if it, rather than the network, refused. Messages begin with a small letter.
    static func on(_ message: String) -> ConnectionAdvice {
        all.first { message.lowercased().contains($0.0.lowercased()) }?.1
            ?? ConnectionAdvice("Is it running?", "check the server and the database URL")
    }

    private static let all: [(String, ConnectionAdvice)] = [
        (
            "No space left",
            ConnectionAdvice(
                "Make room on the server's disk; nothing is lost, and workers go on by themselves.",
                "make room on the server's disk    (df -h there; workers go on by themselves)")
        ),
        (
            "refused",
            ConnectionAdvice(
                "Is it running?",
                "systemctl start postgresql    (on that machine; or mend host and port in the database URL)")
        ),
        (
            "No such file",
            ConnectionAdvice(
                "Is it running?", "systemctl start postgresql    (or mend the host in the database URL)")
        ),
        (
            "no password",
            ConnectionAdvice(
                "Give the password, in PGPASSWORD or in the URL.",
                "export PGPASSWORD=…, or put the password into the database URL")
        ),
        (
            "authentication",
            ConnectionAdvice("Check user and password.", "mend user and password in the database URL")
        ),
        (
            "pg_hba.conf",
            ConnectionAdvice(
                "The server lets nobody in from here under this name.",
                "add a line for this user and machine to the server's pg_hba.conf, and reload it")
        ),
        (
            "database \"",
            ConnectionAdvice(
                "Check the names in the database URL.", "createdb, or mend the database's name in the URL")
        ),
        (
            "role \"",
            ConnectionAdvice(
                "Check the names in the database URL.", "createuser, or mend the user's name in the URL")
        ),
        (
            "translate host name",
            ConnectionAdvice("Check the name of the host.", "mend the host in the database URL")
        ),
        (
            "encoding UTF8",
            ConnectionAdvice(
                "The database must be in UTF-8.",
                "createdb --encoding UTF8 --template template0 NAME, and name that one")
        ),
        ("invalid", ConnectionAdvice("Check the database URL.", "mend the database URL")),
        (
            "too many",
            ConnectionAdvice(
                "Try again, or allow more connections.",
                "close connections that nobody needs, or raise max_connections and restart the server")
        ),
    ]
}
