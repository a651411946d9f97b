/// How the server of a cluster is set up; written anew at each start.
struct ServerSettings {
    /// Off only for throw-away clusters whose data may be lost with the machine.
    var durable = true
    var connectionsMax = 100
    var sharedBuffersMebibytes = 256

    /// `ALTER SYSTEM` and lines added to `postgresql.conf` after the include still win over these.
    func file(socketDirectory: String) -> String {
        """
        # Written at each start of the server. Put your own settings at the end of data/postgresql.conf.
        listen_addresses = ''
        port = \(ClusterHome.port)
        unix_socket_directories = '"\(socketDirectory)"'
        unix_socket_permissions = 0700
        max_connections = \(connectionsMax)
        shared_buffers = \(sharedBuffersMebibytes)MB
        max_wal_size = 4GB
        checkpoint_timeout = 15min
        fsync = \(durable ? "on" : "off")
        full_page_writes = \(durable ? "on" : "off")
        synchronous_commit = \(durable ? "on" : "off")
        timezone = 'UTC'
        log_timezone = 'UTC'
        logging_collector = off
        log_destination = 'stderr'
        # What is refused is told to whoever asked; the text of statements stays out of the log.
        log_min_error_statement = panic

        """
    }
}
