import Repository
import TradeModel

extension SettlementPlan {
    /// Settles a trade on the running balances, or throws why not.
    mutating func settle(_ trade: Trade, _ books: Books) throws(Rejection) {
        let terms = try TradeTerms(trade, in: books.catalog)
        let market = terms.market
        let buyer = try account(trade.buyer, "buyer", books)
        let seller = try account(trade.seller, "seller", books)

        let base = market.base
        let quote = market.quote
        let buyerGives: Amount
        var buyerGets = terms.quantity
        var rebate = Amount.zero
        let overflow = Rejection(.invalid, "an amount has more than 38 digits")
        do {
            buyerGives = try terms.buyerGives()
            switch market.feeRule {
            case .received: buyerGets = try buyerGets.subtracting(terms.buyerFee)
            case .quote where terms.buyerFee.isNegative: rebate = terms.buyerFee.negated
            case .quote: break
            }
        } catch { throw overflow }

        // Both must have what they give before either receives.
        try give(
            Gift(account: buyer, role: "buyer", asset: quote, amount: buyerGives, order: trade.buyOrder),
            trade, market, books)
        try give(
            Gift(account: seller, role: "seller", asset: base, amount: terms.sellerGives, order: trade.sellOrder),
            trade, market, books)
        do {
            try balances.post(buyer.number, base, buyerGets, .trade, trade.id, market, books)
            try balances.post(buyer.number, quote, rebate, .fee, trade.id, market, books)
            try balances.post(
                seller.number, quote, terms.quote.subtracting(terms.sellerFee), .trade, trade.id, market, books)
            let feeAsset = market.feeRule == .received ? base : quote
            try balances.post(books.house, feeAsset, terms.buyerFee, .fee, trade.id, market, books)
            try balances.post(books.house, quote, terms.sellerFee, .fee, trade.id, market, books)
        } catch { throw overflow }
        settledMarkets.insert(market.number)
    }

    private mutating func account(_ id: Identifier, _ role: String, _ books: Books) throws(Rejection) -> Account {
        guard let account = books.accounts[id] else {
            unknownAccounts.insert(id)
            throw Rejection(.unknownAccount, "there is no account \(id) (the \(role)); a first deposit opens it")
        }
        guard account.status != .closed else {
            judge(account, books)
            throw Rejection(.unknownAccount, "account \(id) (the \(role)) is closed")
        }
        return account
    }

    /// What one side pays.
    private struct Gift {
        let account: Account
        let role: String
        let asset: Asset
        let amount: Amount
        let order: Identifier?
    }

    /// Takes what one side gives: from the hold of its order first, the rest from what is available.
    private mutating func give(_ gift: Gift, _ trade: Trade, _ market: Market, _ books: Books) throws(Rejection) {
        let key = BalanceKey(account: gift.account.number, asset: gift.asset.number)
        let index = balances.slot(key, books)
        var fromHold = Amount.zero
        if let order = gift.order.map({ OrderKey(stream: trade.stream, order: $0) }),
            var hold = balances.hold(for: order, books),
            hold.account == gift.account.number, hold.asset == gift.asset.number
        {
            fromHold = min(hold.remaining, gift.amount)
            hold.remaining = hold.remaining.reduced(by: fromHold)
            balances.setHold(hold, for: order)
        }
        let rest = gift.amount.reduced(by: fromHold)
        try requireFunds(rest, in: index, of: gift, held: fromHold, books)
        do {
            try balances.change(
                index, available: rest.negated, frozen: fromHold.negated, .trade, trade.id, market.number)
        } catch { throw Rejection(.invalid, "an amount has more than 38 digits") }
    }

    private mutating func requireFunds(
        _ amount: Amount, in index: Int, of gift: Gift, held: Amount, _ books: Books
    ) throws(Rejection) {
        guard let missing = balances.shortfall(amount, in: index) else { return }
        shortOfFunds.insert(gift.account.id)
        lacksMoney = gift.account.id
        throw Rejection(
            payer: "\(gift.role) \(gift.account.id)",
            Shortfall(
                account: gift.account.id, asset: gift.asset, needed: gift.amount,
                available: balances.availableNow(index), held: held, missing: missing))
    }
}
