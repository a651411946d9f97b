import Glibc

/// The user the server runs as: ourselves, or, since PostgreSQL refuses root, `postgres` or `nobody`.
struct ServerAccount {
    let user: uid_t
    let group: gid_t
    /// What to put before a command that must run as this user.
    let prefix: [String]

    static func current() throws(EmbeddedPostgresError) -> ServerAccount {
        guard geteuid() == 0 else { return ServerAccount(user: geteuid(), group: getegid(), prefix: []) }
        guard let entry = getpwnam("postgres") ?? getpwnam("nobody") else {
            throw .fileSystem(path: "/etc/passwd", doing: "find the user 'postgres' in", reason: "no such user")
        }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        return ServerAccount(
            user: user, group: group,
            prefix: ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"])
    }
}
