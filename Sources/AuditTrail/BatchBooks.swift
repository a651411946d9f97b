import TradeModel

/// What stands in one batch of a bundle, and whether it fits together: plain arithmetic, on numbers and names alone.
struct BatchBooks {
    struct Entry {
        let line: BundleLine
        let place: Int64
        let account: Account
        let asset: Identifier
        let version: Int64
        let kind: String
        let market: Identifier
        let cause: Identifier
        let available: Int128
        let frozen: Int128
        let availableAfter: Int128
        let frozenAfter: Int128
    }

    /// As bytes: two names that only look the same are two.
    struct Account: Hashable {
        let kind: String
        let id: Identifier
    }

    /// Who posts what for which cause; house and world are one each, whichever of their accounts booked it.
    private struct Leg: Hashable {
        let market: Identifier
        let cause: Identifier
        let isTrade: Bool
        let account: Account
        let asset: Identifier
    }

    private struct ReversedTrade: Hashable {
        let market: Identifier
        let id: Identifier
    }

    private struct Posting: Equatable {
        var available: Int128 = 0
        var frozen: Int128 = 0
    }

    struct Market {
        let base: Identifier
        let quote: Identifier
        let feesAreReceived: Bool
    }

    let header: BundleLine
    let says: (trades: Int64, operations: Int64, entries: Int64)
    let decimals: [Identifier: Int]
    let markets: [Identifier: Market]
    private(set) var findings: [BundleFinding] = []
    private var expected: [Leg: (posting: Posting, line: BundleLine)] = [:]
    private var counts: (trades: Int64, operations: Int64) = (0, 0)
    private var reversed = Set<ReversedTrade>()

    init(
        header: BundleLine, says: (trades: Int64, operations: Int64, entries: Int64), decimals: [Identifier: Int],
        markets: [Identifier: Market]
    ) {
        self.header = header
        self.says = says
        self.decimals = decimals
        self.markets = markets
    }

    private mutating func expect(
        _ account: Account, _ asset: Identifier, _ available: Int128, _ frozen: Int128 = 0, cause: Identifier,
        market: Identifier, isTrade: Bool, by line: BundleLine
    ) -> Bool {
        let leg = Leg(market: market, cause: cause, isTrade: isTrade, account: account, asset: asset)
        var posting = expected[leg]?.posting ?? Posting()
        let sums = (
            posting.available.addingReportingOverflow(available), posting.frozen.addingReportingOverflow(frozen)
        )
        guard !sums.0.overflow, !sums.1.overflow else { return false }
        (posting.available, posting.frozen) = (sums.0.partialValue, sums.1.partialValue)
        expected[leg] = (posting, line)
        return true
    }

    /// A settled trade: who is to have what of it.
    mutating func add(trade line: BundleLine, _ fields: [String]) {
        counts.trades += 1
        let (symbol, id) = (Identifier(stored: fields[1]), Identifier(stored: fields[2]))
        guard let market = markets[symbol], let base = decimals[market.base], let quote = decimals[market.quote] else {
            findings.append(BundleFinding(line, "its market or an asset of it is not in the bundle"))
            return
        }
        let numbers = [4, 5, 8, 9].map { DecimalNumber(fields[$0]) }
        guard let price = numbers[0], let quantity = numbers[1], let buyerFee = numbers[2], let sellerFee = numbers[3],
            !price.isNegative, !quantity.isNegative,
            let value = DecimalNumber.productRoundedDown(price, quantity, decimals: quote),
            let amount = quantity.amount(decimals: base), let fee = sellerFee.amount(decimals: quote),
            let otherFee = buyerFee.amount(decimals: market.feesAreReceived ? base : quote)
        else {
            findings.append(BundleFinding(line, "its price, quantity or fees are no amounts of its assets"))
            return
        }
        let buyer = Account(kind: "customer", id: Identifier(stored: fields[6]))
        let seller = Account(kind: "customer", id: Identifier(stored: fields[7]))
        let house = Account(kind: "house", id: Identifier(stored: ""))
        let feeAsset = market.feesAreReceived ? market.base : market.quote
        let legs: [(Account, Identifier, Int128)] = [
            (buyer, market.base, amount.units), (buyer, market.quote, -value.units), (buyer, feeAsset, -otherFee.units),
            (seller, market.base, -amount.units), (seller, market.quote, value.units),
            (seller, market.quote, -fee.units), (house, feeAsset, otherFee.units), (house, market.quote, fee.units),
        ]
        let fits = legs.allSatisfy {
            expect($0.0, $0.1, $0.2, cause: id, market: symbol, isTrade: true, by: line)
        }
        if !fits { findings.append(BundleFinding(line, "its amounts are larger than any can be")) }
    }

    mutating func add(operation line: BundleLine, _ fields: [String]) {
        counts.operations += 1
        guard let amount = Int128(fields[6]), amount > 0, amount <= Amount.maximum.units else {
            findings.append(BundleFinding(line, "its amount is none"))
            return
        }
        let (key, asset) = (Identifier(stored: fields[1]), Identifier(stored: fields[5]))
        let account = Account(kind: fields[3], id: Identifier(stored: fields[4]))
        let world = Account(kind: "world", id: Identifier(stored: ""))
        let legs: [(Account, Int128, Int128)]
        switch fields[2] {
        case "deposit": legs = [(account, amount, 0), (world, -amount, 0)]
        case "withdrawal": legs = [(account, -amount, 0), (world, amount, 0)]
        case "reserve": legs = [(account, -amount, amount)]
        case "release": legs = [(account, amount, -amount)]
        default:
            findings.append(BundleFinding(line, "nobody knows the operation \(fields[2])"))
            return
        }
        // The entry says which operation it was, as the market of a trade's does.
        let kind = Identifier(stored: fields[2])
        for (account, available, frozen) in legs {
            _ = expect(account, asset, available, frozen, cause: key, market: kind, isTrade: false, by: line)
        }
    }

    /// What a trade moved moves back. The trade itself was settled in another batch, perhaps long ago: of the reversal
    /// only that it was wanted is known, and that it sums to nothing.
    mutating func add(reversal fields: [String]) {
        reversed.insert(ReversedTrade(market: Identifier(stored: fields[1]), id: Identifier(stored: fields[2])))
    }

    /// Compares what was to be posted with what was.
    mutating func finish(_ entries: [Entry]) {
        compareCounts(entries)
        var totals: [Identifier: Int128] = [:]
        var booked: [Leg: (posting: Posting, line: BundleLine)] = [:]
        var places = Set<Int64>()
        for entry in entries {
            if !places.insert(entry.place).inserted {
                findings.append(BundleFinding(entry.line, "another entry of its batch has the same place"))
            }
            guard entry.kind != "reversal" else {
                check(reversal: entry, &totals)
                continue
            }
            let isTrade = entry.kind == "trade" || entry.kind == "fee"
            let isShared = entry.account.kind == (isTrade ? "house" : "world")
            let leg = Leg(
                market: isTrade ? entry.market : Identifier(stored: entry.kind), cause: entry.cause, isTrade: isTrade,
                account: isShared ? Account(kind: entry.account.kind, id: Identifier(stored: "")) : entry.account,
                asset: entry.asset)
            var posting = booked[leg]?.posting ?? Posting()
            // Within 38 digits each, so that the sums of a batch stay within 128 bits, or nearly.
            let sums = [
                posting.available.addingReportingOverflow(entry.available),
                posting.frozen.addingReportingOverflow(entry.frozen),
                (totals[entry.asset] ?? 0).addingReportingOverflow(entry.available),
            ]
            let total = sums[2].partialValue.addingReportingOverflow(entry.frozen)
            guard !sums.contains(where: \.overflow), !total.overflow else {
                findings.append(BundleFinding(entry.line, "the amounts of its batch are larger than any can be"))
                return
            }
            (posting.available, posting.frozen) = (sums[0].partialValue, sums[1].partialValue)
            booked[leg] = (posting, booked[leg]?.line ?? entry.line)
            totals[entry.asset] = total.partialValue
        }
        for (asset, total) in totals.sorted(by: { $0.key.text < $1.key.text }) where total != 0 {
            findings.append(BundleFinding(header, "its entries come to \(total) units of \(asset), not to zero"))
        }
        compare(booked)
    }

    private mutating func check(reversal entry: Entry, _ totals: inout [Identifier: Int128]) {
        let total = (totals[entry.asset] ?? 0).addingReportingOverflow(entry.available)
        totals[entry.asset] = total.partialValue
        if total.overflow || entry.frozen != 0 {
            findings.append(BundleFinding(entry.line, "its amounts are none of a reversal"))
        } else if !reversed.contains(ReversedTrade(market: entry.market, id: entry.cause)) {
            findings.append(BundleFinding(entry.line, "no reversal of its batch asks for it"))
        }
    }

    private mutating func compareCounts(_ entries: [Entry]) {
        let found = (counts.trades, counts.operations, Int64(entries.count))
        guard found != (says.trades, says.operations, says.entries) else { return }
        findings.append(
            BundleFinding(
                header,
                "says \(says.entries) entries, \(says.trades) trades, \(says.operations) operations; has "
                    + "\(found.2), \(found.0), \(found.1)"))
    }

    /// A trade may be paid out of what was held: of it only the sums of both are known.
    private mutating func compare(_ booked: [Leg: (posting: Posting, line: BundleLine)]) {
        var wrong: [Int64: BundleFinding] = [:]
        for (leg, (posting, line)) in expected {
            let found = booked[leg]?.posting ?? Posting()
            let isRight =
                leg.isTrade
                ? found.available.addingReportingOverflow(found.frozen).partialValue == posting.available
                : found == posting
            if !isRight {
                wrong[line.number &* 2 &+ (leg.isTrade ? 0 : 1)] = BundleFinding(
                    line, "its entries are not what it says: \(leg.account.kind) \(leg.account.id), \(leg.asset)")
            }
        }
        findings += wrong.sorted { $0.key < $1.key }.map(\.value)
        let strangers = booked.filter { leg, found in
            expected[leg] == nil
                && (!leg.isTrade
                    || found.posting.available.addingReportingOverflow(found.posting.frozen).partialValue != 0)
        }
        findings += strangers.values.sorted { $0.line.number < $1.line.number }
            .map { BundleFinding($0.line, "no trade and no operation of its batch asks for it") }
    }
}
