import CommandKit
import Configuration
import Glibc
import ServiceKit
import SettlementWorkers

/// Reads the configuration again when a SIGHUP asks for it, and tells those who can take over a change.
///
/// An invalid file changes nothing. Where the hang-up is that of the program's own terminal, it asks for an end
/// instead: nobody is left who could.
final class ConfigurationReload: Sendable {
    typealias Handler = @Sendable (SettingValues) async throws -> Void

    private struct State: Sendable {
        var values: SettingValues
        var hasFile: Bool
        var handlers: [Handler] = []
    }

    private let context: Context
    private let flags: [String: SettingValues.FlagValue]
    private let log: Log
    private let state: Guarded<State>
    private let hangUps = HangUps()

    /// - Parameter flags: what was given on the command line, by the variable of the setting: it stays as it is.
    init(_ context: Context, flags: [String: SettingValues.FlagValue], log: Log) throws {
        self.context = context
        self.flags = flags.merging(context.globals.flags) { own, _ in own }
        self.log = log
        let file = try context.globals.configuration()
        state = Guarded(
            State(
                values: SettingValues(
                    Settings.all, flags: self.flags, environment: context.terminal.environment, file: file),
                hasFile: file != nil))
    }

    /// Adds somebody who takes over changes of settings that are declared as reloadable. Called in the order of adding,
    /// with the values that hold from now on.
    func whenReloaded(_ handler: @escaping Handler) {
        state.withLock { $0.handlers.append(handler) }
    }

    /// The log takes its level, and the service those limits that may change while it runs.
    ///
    /// - Parameter logLevel: the level where none is configured.
    func passesOn(to service: SettlementService, logLevel: Log.Level) {
        whenReloaded { [log] values in
            log.level = values["log.level"]?.text.flatMap(Log.Level.init(rawValue:)) ?? logLevel
            await service.reload(try Limits(environment: values.environment))
        }
    }

    /// Waits for hang-ups until it is cancelled; `stop` asks the program for an orderly end.
    func run(stop: @Sendable () -> Void) async {
        let hadTerminal = context.terminal.inputIsTerminal || context.terminal.errorIsTerminal
        for await _ in hangUps.signals {
            if hadTerminal, isatty(STDIN_FILENO) == 0, isatty(STDERR_FILENO) == 0 {
                log.info("the terminal has gone")
                stop()
            } else {
                await reload()
            }
        }
    }

    private func reload() async {
        let (old, hadFile, handlers) = state.withLock { ($0.values, $0.hasFile, $0.handlers) }
        let file: ConfigurationFile?
        do {
            file = try context.globals.configuration()
            if file == nil, hadFile { throw CommandFailure("\(Global.configurationName) has gone") }
        } catch {
            let reason = (error as? CommandFailure)?.message ?? "\(error)"
            log.error("configuration not reloaded, the old one holds", ["reason": reason])
            return
        }
        let read = SettingValues(
            Settings.all, flags: flags, environment: context.terminal.environment, file: file)
        let values = old.reloaded(from: read)
        state.withLock { state in
            state.values = values
            state.hasFile = file != nil
        }
        // What raises the level is said before, what lowers it after: either way it is seen.
        let isSaidBefore = log.writes(.info)
        if isSaidBefore { say(old.changes(to: read), file) }
        for handler in handlers {
            do { try await handler(values) } catch { log.error("setting not changed", ["reason": "\(error)"]) }
        }
        if !isSaidBefore { say(old.changes(to: read), file) }
    }

    private func say(_ changes: [(from: SettingValues.Value, to: SettingValues.Value)], _ file: ConfigurationFile?) {
        for (from, to) in changes {
            if from.setting.isReloadable {
                log.info("setting changed", ["key": from.setting.key, "from": from.shown, "to": to.shown])
            } else {
                log.warning(
                    "setting needs a restart to change",
                    ["key": from.setting.key, "from": from.shown, "to": to.shown])
            }
        }
        let taken = changes.count { $0.from.setting.isReloadable }
        log.info(
            "configuration reloaded",
            [
                "file": file?.path ?? "none", "changed": "\(taken)", "need_restart": "\(changes.count - taken)",
            ])
    }
}
