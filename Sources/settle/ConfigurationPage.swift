import ServiceKit

/// The page docs/configuration.md, written from the declarations of the settings.
enum ConfigurationPage {
    static var text: String { introduction + tables + reloading }

    private static let introduction = """
        # Configuration

        Everything that can be set has a key in the configuration file and a variable of the environment; what is worth
        one has a flag too. Nothing has to be set. [config/settle.yaml](../config/settle.yaml) holds every setting with
        its default: copy it, or only the lines that are to differ. The shipped file and this page are written from the
        same declarations as the program (`make docs`).

        ```yaml
        # settle.yaml
        database:
          url: postgres://settle@db.example/settle
        worker:
          intake: tcp://127.0.0.1:5558
        log:
          level: warning
        ```

        ## Where a value comes from

        1. A flag: `settle worker --queue-size 5000`.
        2. A variable of the environment: `SETTLE_QUEUE_CAPACITY=5000`. An empty one counts as not set.
        3. The configuration file: the one that `--config FILE` or `SETTLE_CONFIG` names, else `settle.yaml` in the
           current folder, if there is one. A file that is named and missing is an error; `--config /dev/null` reads
           none.
        4. The default.

        A database that `--database-url`, `DATABASE_URL` or `database.url` names goes before libpq's `PG*` variables,
        which fill in what the URL leaves open, such as `PGPASSWORD`. Paths in the file start from the current folder.

        ```sh
        settle config check     # is the file right? lists everything that is wrong, with its line
        settle config show      # every value, and where it came from; passwords are hidden
        ```

        A mistake ends each command with exit code 64 and says where it is:

        ```
        settle: settle.yaml:12: unknown key 'queue.capcity'. Did you mean 'queue.capacity'?
        settle: settle.yaml:14: batch.size_max: expected a whole number from 1 to 10000, found '0'
        ```

        The file is YAML in UTF-8, at most 256 KiB. A group may also be written in its members (`queue.capacity: 5000`).
        Anchors, aliases and tags are refused, and so is a key that stands twice. What has no default value may be left
        empty.

        ## Settings

        "Live" are those that a running worker takes over from the file (see below).


        """

    private static var tables: String {
        Settings.groups.map { group in
            "### \(group.name)\n\n"
                + "| key | variable | default | values | live | what it does |\n|---|---|---|---|---|---|\n"
                + group.settings.map(row).joined() + "\n"
        }.joined()
    }

    private static func row(_ setting: Setting) -> String {
        let standard = setting.defaultValue.map { "`\($0)`" } ?? setting.defaultRemark
        return "| `\(setting.key)` | `\(setting.variable)` | \(standard) | \(setting.range) | "
            + "\(setting.isReloadable ? "yes " : "")| \(setting.summary) |\n"
    }

    private static let reloading = """
        ## Changing a running worker

        A SIGHUP tells `settle worker` (and `settle up`) to read the file again. It takes over the settings marked as
        live, and its log says each of them with the value before and the value now. What was changed and is not live is
        named as well: it needs a restart. What a flag or a variable sets stays as it is. A file with a mistake changes
        nothing: the mistake is logged, and the old values hold.

        ```sh
        settle config check && pkill -HUP -f 'settle worker'
        ```

        New pauses, attempts and intervals count from the next batch, failure or round on. A SIGHUP that comes because
        the worker's own terminal was closed ends it in order instead.

        """
}
