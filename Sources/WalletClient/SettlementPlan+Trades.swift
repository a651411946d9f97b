import Repository
import TradeModel

extension SettlementPlan {
    /// Settles a trade on the running balances, or throws why not.
    mutating func settle(_ trade: Trade, in market: Market?, _ books: Books) throws(Rejection) {
        guard let market else {
            unknownMarkets.insert(trade.market)
            throw Rejection(.unknownMarket, "there is no market \(trade.market)")
        }
        let terms = try TradeTerms(trade, market: market)
        try checkAccount(places.first, trade.buyer, "buyer", books)
        try checkAccount(places.second, trade.seller, "seller", books)

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
            Gift(
                account: trade.buyer, role: "buyer", balance: places[.firstQuote], asset: market.quote,
                amount: buyerGives, order: trade.buyOrder), trade, market, books)
        try give(
            Gift(
                account: trade.seller, role: "seller", balance: places[.secondBase], asset: market.base,
                amount: terms.sellerGives, order: trade.sellOrder), trade, market, books)
        do {
            try balances.post(places[.firstBase], buyerGets, .trade, trade.id, market, books)
            try balances.post(places[.firstQuote], rebate, .fee, trade.id, market, books)
            try balances.post(
                places[.secondQuote], terms.quote.subtracting(terms.sellerFee), .trade, trade.id, market, books)
            let feeLeg: ItemPlaces.Leg = market.feeRule == .received ? .insideBase : .insideQuote
            try balances.post(places[feeLeg], terms.buyerFee, .fee, trade.id, market, books)
            try balances.post(places[.insideQuote], terms.sellerFee, .fee, trade.id, market, books)
        } catch { throw overflow }
    }

    private mutating func checkAccount(
        _ place: AccountMemory.Place, _ id: Identifier, _ role: String, _ books: Books
    ) throws(Rejection) {
        guard let account = books.memory[account: place] else {
            unknownAccounts.insert(id)
            throw Rejection(.unknownAccount, "there is no account \(id) (the \(role)); a first deposit opens it")
        }
        guard account.status != .closed else {
            judge(place, books)
            throw Rejection(.unknownAccount, "account \(id) (the \(role)) is closed")
        }
    }

    /// What one side pays.
    private struct Gift {
        let account: Identifier
        let role: String
        let balance: AccountMemory.Place
        let asset: Asset
        let amount: Amount
        let order: Identifier?
    }

    /// Takes what one side gives: from the hold of its order first, the rest from what is available.
    private mutating func give(_ gift: Gift, _ trade: Trade, _ market: Market, _ books: Books) throws(Rejection) {
        let index = balances.slot(gift.balance)
        var fromHold = Amount.zero
        if let order = gift.order.map({ OrderKey(stream: trade.stream, order: $0) }),
            var hold = balances.hold(for: order, books),
            BalanceKey(account: hold.account, asset: hold.asset) == books.memory[balance: gift.balance].key
        {
            fromHold = min(hold.remaining, gift.amount)
            hold.remaining = hold.remaining.reduced(by: fromHold)
            balances.setHold(hold, for: order)
        }
        let rest = gift.amount.reduced(by: fromHold)
        try requireFunds(rest, in: index, of: gift, held: fromHold, books)
        do {
            try balances.change(
                index, available: rest.negated, frozen: fromHold.negated, .trade, trade.id, market.number,
                books)
        } catch { throw Rejection(.invalid, "an amount has more than 38 digits") }
    }

    private mutating func requireFunds(
        _ amount: Amount, in index: Int, of gift: Gift, held: Amount, _ books: Books
    ) throws(Rejection) {
        guard let missing = balances.shortfall(amount, in: index, books) else { return }
        shortOfFunds.insert(gift.account)
        lacksMoney = gift.account
        throw Rejection(
            payer: "\(gift.role) \(gift.account)",
            Shortfall(
                account: gift.account, asset: gift.asset, needed: gift.amount,
                available: balances.availableNow(index, books), held: held, missing: missing))
    }
}
