import CommandKit
import Repository
import TradeModel

extension CommandFailure {
    /// That there is no such thing, with the one that was most likely meant, and the command that shows what there is.
    static func notFound(_ kind: String, _ name: String, near names: [String] = [], see command: String)
        -> CommandFailure
    {
        let problem = "there is no \(kind) \(name.printable)"
        let advice = "'\(command)' shows those there are"
        guard let meant = nearestName(to: name, among: names) else {
            return CommandFailure("\(problem); \(advice)", exit: .notFound)
        }
        return CommandFailure("\(problem). Did you mean '\(meant)'? \(advice)", exit: .notFound)
    }

    /// That no customer has this account. None that is called nearly so is proposed: it would be somebody else's money.
    static func noAccount(_ id: Identifier) -> CommandFailure {
        let owner: String
        switch AccountKind(rawValue: String(id.text.prefix { $0 != "/" })) {
        case .house?: owner = "the exchange itself; 'settle balance house'"
        case .world?: owner = "what lies outside; 'settle balance world'"
        case .customer?, nil: return notFound("account", id.text, see: "settle account list")
        }
        return CommandFailure(
            "'\(id.text.printable)' is no customer's account but \(owner) shows what it has", exit: .notFound)
    }
}
