import CommandKit
import Repository
import TradeModel

struct FreezeAccount: Command {
    static let info = CommandInfo(
        "freeze", summary: "Let an account withdraw and hold nothing more.",
        discussion: "What was traded still settles, and deposits are accepted. 'settle account unfreeze' ends it.",
        examples: [Example("settle account freeze 1001 --reason 'under review'", "")])

    @Argument("ACCOUNT", help: "Whose.") var id: Identifier
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        try StatusChange(id: id, status: .frozen, action: action).run(context)
    }
}

struct UnfreezeAccount: Command {
    static let info = CommandInfo(
        "unfreeze", summary: "Let a frozen or closed account do everything again.",
        examples: [Example("settle account unfreeze 1001 --reason 'reviewed'", "")])

    @Argument("ACCOUNT", help: "Whose.") var id: Identifier
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        try StatusChange(id: id, status: .active, action: action).run(context)
    }
}

struct CloseAccount: Command {
    static let info = CommandInfo(
        "close", summary: "Close an account: nothing moves on it any more.",
        discussion: """
            It must have no money, nothing on hold and no trade that waits; its credit lines go. Trades that name it \
            later are parked as unknown_account, deposits are refused. 'settle account unfreeze' opens it again.
            """,
        examples: [Example("settle account close 1003 --reason 'left us' --yes", "Without a question.")])

    @Argument("ACCOUNT", help: "Whose.") var id: Identifier
    @OptionGroup("Options") var action: ActionOptions
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func run(_ context: Context) async throws {
        try StatusChange(id: id, status: .closed, action: action, yes: yes).run(context)
    }
}

/// Gives an account another status.
private struct StatusChange {
    let id: Identifier
    let status: AccountStatus
    let action: ActionOptions
    var yes = true

    func run(_ context: Context) throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let before = try AccountRecord.find(id, connection)
        let dryRun = action.dryRun
        if before.status != status, !dryRun {
            try context.confirm("Close account \(id.text.printable)?", yes: yes)
        }
        let isNew: Bool
        do {
            isNew = try AccountActions.set(
                status, of: id, actor: operatorName, reason: action.reason, on: connection, dryRun: dryRun)
        } catch {
            throw error.failure(of: id, "closed")
        }
        try context.output.show([
            "account": .id(id), "status": .string(dryRun ? before.status.rawValue : status.rawValue),
            dryRun ? "would_change" : "changed": .bool(isNew),
        ]) {
            let name = "account \(id.text.printable)"
            try context.output.line(
                isNew
                    ? "\(name) \(dryRun ? "would be" : "is") \(status.rawValue)"
                    : "\(name) is \(status.rawValue) already")
        }
        if status == .frozen, !dryRun {
            context.output.next("settle account unfreeze \(id.text.shellQuoted) --reason '…'")
        }
    }
}

extension AccountRefusal {
    /// What it means to whoever typed the command.
    func failure(of id: Identifier, _ wanted: String) -> any Error {
        let name = "account \(id.text.printable)"
        let show = "'settle account show \(id.text.shellQuoted.printable)'"
        switch self {
        case .unknown: return CommandFailure.noAccount(id)
        case .isClosed:
            return CommandFailure(
                "\(name) is closed; \(show) says since when and why, "
                    + "'settle account unfreeze' opens it again")
        case .hasWaitingTrades:
            return CommandFailure(
                "\(name) cannot be \(wanted): trades of it wait to be settled. "
                    + "\(show) counts them.")
        case .hasMoney(let balances):
            let parts = balances.flatMap { balance in
                [(balance.available, "available"), (balance.frozen, "on hold")].filter { $0.0 != .zero }
                    .map { "\(balance.asset.text($0.0)) \($0.1)" }
            }
            return CommandFailure(
                "\(name) cannot be \(wanted): it has \(parts.joined(separator: ", ")). "
                    + "Settle, release or withdraw that first.")
        case .lineIsUsed(let balance):
            return CommandFailure(
                "\(name) stands at \(balance.asset.text(balance.available)): its credit line of "
                    + "\(balance.asset.text(balance.creditLine)) cannot be less than what is used of it")
        case .database(let error) where error.sqlState == DatabaseError.lockNotAvailable:
            return CommandFailure(
                "what is just being settled for \(name) does not come to an end; nothing was changed, and the command "
                    + "can be repeated")
        case .database(let error): return error
        }
    }
}
