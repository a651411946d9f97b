import CommandKit
import Repository
import TradeModel

extension TradeStoryText {
    /// What the trade did to each balance.
    var postings: Table { table(of: story.postings) }

    /// What its reversal did.
    var reversalPostings: Table { table(of: story.reversalPostings) }

    private func table(of postings: [TradeStory.Posting]) -> Table {
        var table = Table(
            Table.Column("ACCOUNT", isCut: false), Table.Column("WHAT", wraps: true),
            Table.Column("ASSET", isCut: false),
            Table.Column("BEFORE", .right), Table.Column("CHANGE", .right),
            Table.Column("AFTER", .right))
        for posting in postings {
            let text = { (amount: Amount) in amount.text(decimals: posting.asset.decimals) }
            let signed = { (amount: Amount) in (amount > .zero ? "+" : "") + text(amount) }
            func add(_ what: String, _ before: Amount, _ change: Amount, _ after: Amount) {
                table.add(
                    "\(name(posting))", "\(what)", "\(posting.asset.symbol)", "\(text(before))", "\(signed(change))",
                    "\(text(after))")
            }
            let what = words(posting)
            if posting.availableChange != .zero || posting.frozenChange == .zero {
                add(what, posting.availableBefore, posting.availableChange, posting.available)
            }
            if posting.frozenChange != .zero {
                add("\(what) from its hold", posting.frozenBefore, posting.frozenChange, posting.frozen)
            }
        }
        return table
    }

    private func name(_ posting: TradeStory.Posting) -> String {
        switch posting.accountKind {
        case .customer: posting.account
        case .house: "the house"
        case .world: "the outside world"
        }
    }

    private func words(_ posting: TradeStory.Posting) -> String {
        let change = posting.availableChange != .zero ? posting.availableChange : posting.frozenChange
        switch posting.kind {
        case .fee where posting.accountKind == .house: return change.isNegative ? "pays a rebate" : "fee"
        case .fee: return "rebate"
        case .reversal: return change.isNegative ? "gives back" : "gets back"
        default: return change.isNegative ? "pays" : "receives"
        }
    }
}
