import CommandKit
import Repository
import TradeModel

struct ShowStatement: Command {
    static let info = CommandInfo(
        "statement", summary: "Show an account's ledger entries, each with the balance after it.",
        discussion: """
            Asset by asset and oldest first, between what was there before and after. The cursor of a page is the asset \
            and the number of its last entry. The house and the outside world are several accounts, named house/0, \
            house/1 and so on.
            """,
        examples: [
            Example("settle statement 1001", "All assets."),
            Example("settle statement 1001 USDT --last 20", "The newest entries in one."),
            Example("settle statement 1001 --since 2026-01-01 --until 2026-02-01", "A month."),
            Example("settle statement 1001 USDT --after USDT:50", "The next page."),
        ])

    @Argument("ACCOUNT", help: "Whose.") var account: Identifier
    @Argument("ASSET", help: "Only this asset.") var asset: AssetSymbol?
    @Option("--since", "TIME", help: "Only entries from then on: 2026-01-02, 2026-01-02T03:04:05Z, 30m (ago) or now.")
    var since: Timestamp?
    @Option("--until", "TIME", help: "Only entries before then, written likewise.") var until: Timestamp?
    @OptionGroup("Pages") var page: PageOptions
    @Option("--after", "CURSOR", help: "Go on behind the page that ended with this.") var after: StatementCursor?

    func validate() throws {
        if page.last != nil, after != nil { throw UsageError("'--last' goes without '--after'") }
        try checkPeriod(since: since, until: until)
        if let asset, let after, after.asset != asset {
            throw UsageError("'--after \(after.argumentText)' is not in \(asset)")
        }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let accounts = try AccountStore.known(account, connection)
        let catalog = try CatalogStore.read(connection)
        let asset = try self.asset.map { try catalog.known($0) }
        guard accounts.count <= 1 else {
            let names = accounts.map(\.name.printable).joined(separator: ", ")
            throw CommandFailure("\(account) is \(accounts.count) accounts: \(names). Name one of them.", exit: .usage)
        }
        let assets = catalog.assets.values.filter { asset == nil || $0 == asset }
            .sorted { $0.symbol < $1.symbol }
        var sections: [StatementSection] = []
        if let owner = accounts.first {
            sections = try LedgerReader.read(connection, upTo: [since, until].compactMap { $0 }) {
                reader throws(DatabaseError) in
                try read(reader, owner, assets, catalog, connection)
            }
        }
        try show(sections, context)
        if let until, until > .now {
            context.output.note("\(until) has not come yet; this is what was committed until now")
        }
    }

    private func read(
        _ reader: LedgerReader, _ owner: NamedAccount, _ assets: [Asset], _ catalog: Catalog,
        _ connection: PostgresConnection
    ) throws(DatabaseError) -> [StatementSection] {
        let only = assets.count == 1 ? assets[0].number : nil
        let now = try BalanceStore.current(of: [owner.number], asset: only, connection)
        // Up to a time is before it: times are counted in microseconds. From a time that has not come there is nothing
        // yet.
        let closing = try (until ?? since.flatMap { $0 > reader.begunAt ? $0 : nil }).map {
            until throws(DatabaseError) in
            try reader.balances(of: [owner.number], asset: only, asOf: until.moved(by: -1))
        }
        let opening = try since.map { since throws(DatabaseError) in
            try reader.balances(of: [owner.number], asset: only, asOf: since.moved(by: -1))
        }
        var sections: [StatementSection] = []
        var room = page.limit
        for asset in assets where after.map({ $0.asset <= asset.symbol }) ?? true {
            let key = BalanceKey(account: owner.number, asset: asset.number)
            guard let newest = now[key]?.version, newest > 0 else { continue }
            var section = StatementSection(
                asset: asset, markets: catalog.markets, opening: opening?[key] ?? BalanceMoment(),
                closing: closing?[key] ?? now[key]!)
            guard section.opening.version > 0 || section.closing.version > 0 else { continue }
            var first = section.opening.version + 1
            var last = section.closing.version
            if let after, after.asset == asset.symbol { first = max(first, min(after.version, last) + 1) }
            if first <= last, room == 0 {
                sections[sections.count - 1].continues = true
                break
            }
            if let count = page.last {
                first = max(first, last - Int64(count) + 1)
            } else {
                last = min(last, first.advanced(by: room - 1))
            }
            if first <= last {
                section.lines = try reader.lines(
                    of: key, versions: first...last, newest: newest,
                    since: max(since ?? owner.openedAt, owner.openedAt),
                    until: until)
                if page.last == nil { room -= section.lines.count }
            }
            sections.append(section)
            if last < section.closing.version, page.last == nil { break }
        }
        return sections
    }

    private func show(_ sections: [StatementSection], _ context: Context) throws {
        let output = context.output
        if output.format == .text, !sections.isEmpty {
            for (index, section) in sections.enumerated() {
                if index > 0 { try output.line() }
                try output.line(output.styled("\(account.text.printable) in \(section.asset.symbol)", .bold))
                try output.print(section.table(for: account))
            }
        } else {
            let rows = sections.flatMap { section in section.lines.map { section.json($0, account) } }
            try output.list(rows, empty: "Account \(account) has no entries\(period).") { Table() }
        }
        if page.last == nil, let section = sections.last(where: { !$0.lines.isEmpty }), let line = section.lines.last,
            section.continues || line.version < section.closing.version
        {
            output.more(after: StatementCursor(asset: section.asset.symbol, version: line.version).argumentText)
        }
    }

    private var period: String {
        (since.map { " since \($0)" } ?? "") + (until.map { " until \($0)" } ?? "")
    }
}

/// An entry's place in an account's statement: `USDT:120`.
struct StatementCursor: ArgumentValue {
    let asset: AssetSymbol
    let version: Int64

    init(asset: AssetSymbol, version: Int64) {
        self.asset = asset
        self.version = version
    }

    init(argument: String) throws {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let asset = AssetSymbol(parts[0]), let version = Int64(parts[1]), version >= 0 else {
            throw InvalidValue("a cursor is an asset and a number, such as USDT:50")
        }
        self.init(asset: asset, version: version)
    }

    var argumentText: String { "\(asset):\(version)" }
    static var valueName: String { "CURSOR" }
}

extension Timestamp {
    /// So many microseconds later; stays within what can be counted.
    func moved(by microseconds: Int64) -> Timestamp {
        let (sum, overflow) = self.microseconds.addingReportingOverflow(microseconds)
        return overflow ? self : Timestamp(microseconds: sum)
    }
}
