import TradeModel

extension DeadLetterStore {
    /// Larger payloads are read one by one, so that a page of letters stays small.
    static let payloadBytesInPage = 16_384

    static let columns = """
        l.letter_no, l.class, l.message, l.status::text, l.attempts, l.stored, l.market, l.trade_id, l.buyer_id,
        l.seller_id, l.source, l.parked_at, l.changed_at, t.status::text, l.version, l.received_seq,
        l.short_account, s.asset_no, l.short_asset, s.decimals, l.short_needed, l.short_available, l.short_held,
        l.short_missing
        """
    static let joins = """
        left join trades t on t.market = l.market and t.trade_id = l.trade_id
        left join assets s on s.symbol = l.short_asset
        """

    /// A page in the order of parking, without payloads.
    public static func list(_ filter: LetterFilter, after: Int64, limit: Int) -> Request {
        // A letter that was purged meanwhile still has its place, between its neighbours.
        let parkedAt = """
            coalesce((select parked_at from dead_letters where letter_no <= $7 order by letter_no desc limit 1),
                     '-infinity')
            """
        let selection = filter.page(behind: after > 0 ? (parkedAt, "$7") : nil, limit: "$8")
        return Request(
            Statement(
                "dead_letters_list\(filter.shape)\(after > 0 ? "_after" : "")",
                "select \(columns), null::bytea from (\(selection)) l \(joins) order by l.parked_at, l.letter_no"),
            filter.parameters + [.int8(after), .int8(Int64(limit))])
    }

    static let findStatement = Statement(
        "dead_letters_find",
        """
        select \(columns), coalesce(v.payload, l.payload) from dead_letters l \(joins)
          left join dead_letter_versions v on v.letter_no = l.letter_no and v.version = l.version
         where l.letter_no = $1
        """)

    public static func find(_ number: Int64) -> Request {
        Request(findStatement, [.int8(number)])
    }

    public static func decode(_ rows: Rows) -> [DeadLetter] {
        rows.indices.map { row in
            DeadLetter(
                number: rows.int64(row, 0), failureClass: rows.string(row, 1), message: rows.string(row, 2),
                status: LetterStatus(rawValue: rows.string(row, 3))!, attempts: Int(rows.int32(row, 4)),
                isStored: rows.bool(row, 5), market: rows.optional(row, 6, rows.string),
                tradeID: rows.optional(row, 7, rows.string), buyer: rows.optional(row, 8, rows.string),
                seller: rows.optional(row, 9, rows.string), source: rows.string(row, 10),
                parkedAt: rows.timestamp(row, 11), changedAt: rows.timestamp(row, 12),
                tradeStatus: rows.optional(row, 13, rows.string).flatMap(TradeStatus.init),
                version: Int(rows.int32(row, 14)), place: rows.int64(row, 15), shortfall: shortfall(rows, row),
                payload: rows.optional(row, 24, rows.byteArray))
        }
    }

    private static func shortfall(_ rows: Rows, _ row: Int) -> Shortfall? {
        guard !rows.isNull(row, 16), !rows.isNull(row, 17) else { return nil }
        return Shortfall(
            account: Identifier(stored: rows.string(row, 16)),
            asset: Asset(
                number: rows.int32(row, 17), symbol: AssetSymbol(rows.string(row, 18))!,
                decimals: Int(rows.int16(row, 19))),
            needed: rows.amount(row, 20), available: rows.amount(row, 21), held: rows.amount(row, 22),
            missing: rows.amount(row, 23))
    }

    static let eventsStatement = Statement(
        "dead_letter_attempts_read",
        """
        select number, at, action, actor, worker_no, sqlstate, class, message
          from dead_letter_attempts where letter_no = $1 order by number
        """)

    public static func events(of number: Int64) -> Request {
        Request(eventsStatement, [.int8(number)])
    }

    public static func decodeEvents(_ rows: Rows) -> [LetterEvent] {
        rows.indices.map { row in
            LetterEvent(
                number: Int(rows.int32(row, 0)), at: rows.timestamp(row, 1), action: rows.string(row, 2),
                actor: rows.string(row, 3), worker: rows.optional(row, 4, rows.int64),
                sqlState: rows.optional(row, 5, rows.string), failureClass: rows.optional(row, 6, rows.string),
                message: rows.string(row, 7))
        }
    }

    static let versionsStatement = Statement(
        "dead_letter_versions_read",
        """
        select 1, payload, null, null, null::timestamptz from dead_letters where letter_no = $1
        union all
        (select version, payload, actor, reason, at from dead_letter_versions where letter_no = $1 order by version)
        """)

    /// What was received, and what operators made of it.
    public static func versions(of number: Int64) -> Request {
        Request(versionsStatement, [.int8(number)])
    }

    public static func decodeVersions(_ rows: Rows) -> [LetterVersion] {
        rows.indices.map { row in
            LetterVersion(
                number: Int(rows.int32(row, 0)), payload: rows.byteArray(row, 1),
                edit: rows.isNull(row, 2)
                    ? nil
                    : LetterVersion.Edit(
                        actor: rows.string(row, 2), reason: rows.string(row, 3), at: rows.timestamp(row, 4)))
        }
    }

    // MARK: What led to what

    static let fundedStatement = Statement(
        "dead_letters_funded",
        """
        select \(columns), null::bytea from (
            select * from (
                (select * from dead_letters l
                  where l.status = 'open' and l.short_account is not null and l.short_account = $1
                    and l.short_asset = $2 and (l.received_seq, l.letter_no) > ($5, $6)
                  order by l.received_seq limit $7)
                union all
                (select * from dead_letters l
                  where l.status = 'open' and l.short_account is not null and l.short_account = $3
                    and l.short_asset = $4 and (l.received_seq, l.letter_no) > ($5, $6)
                  order by l.received_seq limit $7)) l
             order by l.received_seq limit $7) l \(joins)
         order by l.received_seq
        """)

    /// Open letters of later trades that lack what a trade would have brought its buyer and its seller.
    public static func funded(by trade: Trade, of letter: DeadLetter, limit: Int) -> Request {
        Request(
            fundedStatement,
            [
                .text(trade.buyer.text), .text(trade.market.base.text), .text(trade.seller.text),
                .text(trade.market.quote.text),
                .int8(letter.place), .int8(letter.number), .int8(Int64(limit)),
            ])
    }

    static let funderStatement = Statement(
        "dead_letters_funder",
        """
        select \(columns), null::bytea from (
            select * from (
                (select * from dead_letters l where l.status = 'open' and l.buyer_id = $1 and l.parked_at <= $5
                  order by l.parked_at desc, l.letter_no desc limit $6)
                union all
                (select * from dead_letters l where l.status = 'open' and l.seller_id = $1 and l.parked_at <= $5
                    and l.buyer_id is distinct from $1
                  order by l.parked_at desc, l.letter_no desc limit $6)) l
             where (l.received_seq, l.letter_no) < ($3, $4)
               and (l.buyer_id = $1 and split_part(l.market, '/', 1) = $2
                    or l.seller_id = $1 and split_part(l.market, '/', 2) = $2)
             order by l.received_seq limit $7) l \(joins)
         order by l.received_seq
        """)

    /// Of an account's letters so many are looked at, the newest first: a market maker may have hundreds of thousands.
    static let funderCandidatesMax = 1_000

    /// Open letters of earlier trades that would have brought what a letter's account lacks.
    public static func funders(of letter: DeadLetter, _ shortfall: Shortfall, limit: Int) -> Request {
        Request(
            funderStatement,
            [
                .text(shortfall.account.text), .text(shortfall.asset.symbol.text), .int8(letter.place),
                .int8(letter.number), .timestamp(letter.parkedAt), .int8(Int64(funderCandidatesMax)),
                .int8(Int64(limit)),
            ])
    }
}
