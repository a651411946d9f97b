import CommandKit
import EngineHost
import Repository
import TradeModel

/// Compares an engine's balances with the ledger's at the same record, page by page, and keeps where they differ.
struct BalanceComparison {
    private(set) var found: BalanceReconciliation
    /// Whether the house's balances were compared, too.
    private(set) var hasHouse = false
    /// What explains the differences of an account.
    private(set) var openTrades: [Identifier: [LedgerAtRecord.OpenTrade]] = [:]

    /// Those accounts alone are compared; nil for all that the engine has.
    private let chosen: Set<Identifier>?
    /// The accounts that the engine has.
    private var known: Set<Identifier> = []
    /// Accounts that the engine has moved by the books, and does not know.
    private(set) var unknown: Set<Identifier> = []

    /// What the engine has done since the record: its pages are of a later one.
    private let later: EngineChanges
    /// How many of those balances were met.
    private var laterCount = 0

    private typealias Key = EngineChanges.Key

    private struct EngineAsset {
        let symbol: AssetSymbol
        let decimals: Int
        let house: Amount
    }

    init(_ found: BalanceReconciliation, of chosen: Set<Identifier>? = nil, without later: EngineChanges = .init()) {
        self.found = found
        self.chosen = chosen
        self.later = later
    }

    /// All that a page's accounts have on either side.
    mutating func compare(_ page: EngineAnswer.Balances, _ ledger: LedgerAtRecord) throws {
        let assets = try Self.assets(page)
        let accounts = page.accounts.map { Identifier(stored: $0) }
        let compared = accounts.filter { chosen?.contains($0) ?? true }
        found.accountCount += Int64(compared.count)
        if chosen == nil { known.formUnion(accounts) }
        var there = Dictionary(
            try ledger.balances(of: compared).map { (Key(account: $0.account, asset: $0.asset.symbol), $0) },
            uniquingKeysWith: { $1 })
        // Accounts that had nothing at the record, on neither side, and may not have been there yet.
        var (empty, met): (Set<Identifier>, Set<Identifier>) = ([], [])
        for row in page.accountColumn.indices {
            guard let account = page.account(row, accounts), let asset = page.asset(row, assets),
                let available = Self.amount(page.availableColumn, row, asset.decimals),
                let held = Self.amount(page.heldColumn, row, asset.decimals)
            else { throw Self.unreadable }
            guard chosen?.contains(account) ?? true else { continue }
            let key = Key(account: account, asset: asset.symbol)
            let other = there.removeValue(forKey: key)
            if let other { try Self.check(asset.symbol, asset.decimals, other.asset.decimals) }
            var engine = BalanceReconciliation.Money(available: available, held: held)
            let ledger = other.map { BalanceReconciliation.Money(available: $0.available, held: $0.frozen) } ?? .nothing
            if let change = later.balances[key] {
                laterCount += 1
                engine.available = try engine.available.subtracting(change.available)
                engine.held = try engine.held.subtracting(change.held)
                guard engine != .nothing || ledger != .nothing else {
                    empty.insert(account)
                    continue
                }
            }
            met.insert(account)
            compare(account, asset.symbol, asset.decimals, engine, ledger)
        }
        found.accountCount -= Int64(empty.subtracting(met).count)
        // What the ledger alone has, of accounts that the engine knows.
        for balance in there.values.sorted(by: { ($0.account, $0.asset.symbol) < ($1.account, $1.asset.symbol) }) {
            compare(
                balance.account, balance.asset.symbol, balance.asset.decimals, .nothing,
                .init(available: balance.available, held: balance.frozen))
        }
    }

    private mutating func compare(
        _ account: Identifier, _ asset: AssetSymbol, _ decimals: Int, _ engine: BalanceReconciliation.Money,
        _ ledger: BalanceReconciliation.Money
    ) {
        found.balanceCount += 1
        guard engine != ledger else { return }
        found.add(
            BalanceReconciliation.Difference(
                kind: .customer, account: account, asset: asset, decimals: decimals, engine: engine, ledger: ledger))
    }

    /// What the exchange itself has earned.
    mutating func compareHouse(_ page: EngineAnswer.Balances, _ ledger: LedgerAtRecord) throws {
        hasHouse = true
        let there = try ledger.house()
        for asset in try Self.assets(page) {
            let amount = there[asset.symbol] ?? .zero
            let earned = try asset.house.subtracting(later.house[asset.symbol] ?? .zero)
            found.balanceCount += 1
            guard earned != amount else { continue }
            found.add(
                BalanceReconciliation.Difference(
                    kind: .house, account: Identifier(stored: "house"), asset: asset.symbol, decimals: asset.decimals,
                    engine: .init(available: earned, held: .zero), ledger: .init(available: amount, held: .zero)))
        }
    }

    /// That the records since then are of the engine whose balances these are.
    func checkLater() throws {
        guard chosen == nil, laterCount != later.balances.count else { return }
        throw CommandFailure("the engine's feed moves balances that the engine does not have: it is another engine's")
    }

    /// The decimals of a page's assets.
    static func decimals(_ page: EngineAnswer.Balances) throws -> [AssetSymbol: Int] {
        Dictionary(try assets(page).map { ($0.symbol, $0.decimals) }, uniquingKeysWith: { $1 })
    }

    /// What accounts have of which the books say that the engine has moved them, and of which it knows nothing.
    mutating func compareUnknown(_ ledger: LedgerAtRecord) throws {
        var found: [Identifier] = []
        try ledger.accountsMoved { page in found += page.filter { !known.contains($0) } }
        unknown = Set(found)
        for page in stride(from: 0, to: found.count, by: 1_000) {
            let balances = try ledger.balances(of: Array(found[page..<min(page + 1_000, found.count)]))
            for balance in balances.sorted(by: { ($0.account, $0.asset.symbol) < ($1.account, $1.asset.symbol) }) {
                compare(
                    balance.account, balance.asset.symbol, balance.asset.decimals, .nothing,
                    .init(available: balance.available, held: balance.frozen))
            }
        }
        self.found.accountCount += Int64(found.count)
    }

    /// Says of each difference what explains it, as far as it is known.
    mutating func explain(_ ledger: LedgerAtRecord) throws {
        let accounts = Set(found.differences.filter { $0.kind == .customer }.map(\.account))
        guard !accounts.isEmpty else { return }
        openTrades = Dictionary(grouping: try ledger.openTrades(of: accounts), by: \.account)
        let isAnyParked = openTrades.values.joined().contains { $0.letter != nil }
        for index in found.differences.indices {
            let difference = found.differences[index]
            found.differences[index].explanation =
                switch difference.kind {
                case .customer where unknown.contains(difference.account): "the engine does not know this account"
                case .customer: Self.explanation(difference.account, openTrades[difference.account] ?? [])
                case .house, .world: isAnyParked ? "fees of trades that are parked" : nil
                }
        }
    }

    private static func explanation(_ account: Identifier, _ trades: [LedgerAtRecord.OpenTrade]) -> String? {
        let (parked, waiting) = (trades.filter { $0.letter != nil }, trades.filter { $0.letter == nil })
        var parts: [String] = []
        if let letter = parked.first?.letter, parked.count == 1 {
            parts.append(
                "1 trade of it \(parked[0].isDiscarded ? "was given up" : "is parked"): settle dlq show \(letter)")
        } else if !parked.isEmpty {
            let isMore = parked.count >= LedgerAtRecord.openTradeCountMax ? " or more" : ""
            parts.append(
                "\(parked.count) trades\(isMore) of it are parked: settle dlq list --account "
                    + account.text.shellQuoted)
        }
        if let trade = waiting.first {
            let isMore = waiting.count > 1 ? " and others wait" : " waits"
            let name = "\(trade.market):\(trade.id)"
            parts.append("trade \(name)\(isMore) to be settled: settle explain \(name.shellQuoted)")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    private static let unreadable = CommandFailure("the engine answers with balances that cannot be read")

    private static func assets(_ page: EngineAnswer.Balances) throws -> [EngineAsset] {
        guard page.assets.count == page.house.count else { throw unreadable }
        return try zip(page.assets, page.house).map { symbol, house in
            // Every decimal is written out.
            let decimals = house.split(separator: ".").dropFirst().first?.count ?? 0
            guard let symbol = AssetSymbol(symbol), let amount = DecimalNumber(house)?.amount(decimals: decimals) else {
                throw unreadable
            }
            return EngineAsset(symbol: symbol, decimals: decimals, house: amount)
        }
    }

    private static func amount(_ column: [String], _ row: Int, _ decimals: Int) -> Amount? {
        column.indices.contains(row) ? DecimalNumber(column[row])?.amount(decimals: decimals) : nil
    }

    private static func check(_ asset: AssetSymbol, _ engine: Int, _ books: Int) throws {
        guard engine == books else {
            throw CommandFailure("\(asset) has \(engine) decimals in the engine and \(books) in the books")
        }
    }
}

extension EngineAnswer.Balances {
    fileprivate func account(_ row: Int, _ accounts: [Identifier]) -> Identifier? {
        accounts.indices.contains(accountColumn[row]) ? accounts[accountColumn[row]] : nil
    }

    fileprivate func asset<Asset>(_ row: Int, _ assets: [Asset]) -> Asset? {
        guard assetColumn.indices.contains(row), assets.indices.contains(assetColumn[row]) else { return nil }
        return assets[assetColumn[row]]
    }
}
