import TradeModel

/// Tables `dead_letters`, `dead_letter_attempts` and `dead_letter_versions`.
public enum DeadLetterStore {
    /// A letter that an operator retried and that fails again is opened again, and so is one whose trade could not be
    /// stored before and is now, as FAILED; any other is parked only once.
    ///
    /// Letters are numbered in the order of arrival and written in the order of their prints, as everybody writes them.
    /// The letter of a stored trade is found by the trade's name, since an edit may have changed what the trade says.
    /// What was received before an edit has no effect when it arrives again, nor has what was discarded, nor what was
    /// purged.
    static let parkStatement = Statement(
        "dead_letters_park",
        """
        with parked as (
            insert into dead_letters as l (letter_no, fingerprint, class, message, attempts, stored, market, trade_id,
                                           buyer_id, seller_id, stream, stream_seq, source, payload, batch_no,
                                           received_seq, short_account, short_asset, short_needed, short_available,
                                           short_held, short_missing)
            overriding system value
            select distinct on (print) number, print, c, m, a, s, market, trade_id, buyer_id, seller_id, stream,
                   stream_seq, source, payload, \(BatchStore.numberAtHand), place, account, asset, needed, available,
                   held, missing
              from (select arrived.*, nextval('dead_letters_letter_no_seq') as number,
                           coalesce(case when s then (
                               select l.fingerprint from dead_letters l
                                where l.market = arrived.market and l.trade_id = arrived.trade_id and l.stored
                                  and l.status = 'retried' order by l.changed_at desc limit 1) end, sha256(f)) as print,
                           coalesce(case when s then (
                               select t.received_seq from trades t
                                where t.market = arrived.market and t.trade_id = arrived.trade_id) end,
                               nextval('received_numbers')) as place
                      from (select unnest($1) as f, unnest($2) as c, unnest($3) as m, unnest($4) as a,
                                   unnest($5) as s, unnest($6) as market, unnest($7) as trade_id,
                                   unnest($8) as buyer_id, unnest($9) as seller_id, unnest($10) as stream,
                                   unnest($11) as stream_seq, unnest($12) as source, unnest($13) as payload,
                                   unnest($15) as account, unnest($16) as asset, unnest($17) as needed,
                                   unnest($18) as available, unnest($19) as held, unnest($20) as missing) arrived
                     where s or not exists (select from purged_letters p where p.fingerprint = sha256(f))
                   ) letters
             order by print, s desc
            on conflict (fingerprint) do update
               set status = case l.status when 'discarded' then l.status else 'open' end,
                   class = excluded.class, message = excluded.message,
                   attempts = l.attempts + excluded.attempts, stored = excluded.stored,
                   batch_no = excluded.batch_no, received_seq = excluded.received_seq,
                   short_account = excluded.short_account, short_asset = excluded.short_asset,
                   short_needed = excluded.short_needed, short_available = excluded.short_available,
                   short_held = excluded.short_held, short_missing = excluded.short_missing, changed_at = now()
             where (l.status = 'retried' and (l.version = 1 or excluded.stored)) or (excluded.stored and not l.stored)
            returning letter_no, class, message)
        insert into dead_letter_attempts (letter_no, number, at, action, actor, worker_no, sqlstate, class, message)
        select p.letter_no,
               e.place + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = p.letter_no),
               e.at, e.action, $14, $21, e.sqlstate, case e.action when 'parked' then p.class end,
               coalesce(e.message, p.message)
          from parked p,
               (select row_number() over () as place, tries.*
                  from (select unnest($22) as at, 'tried' as action, unnest($23) as sqlstate, unnest($24) as message
                        union all
                        select now(), 'parked', null, null) tries) e
        """)

    /// Parks letters in the transaction that decides them.
    ///
    /// - Parameter tries: those that failed before, of the one letter of its batch.
    public static func park(
        _ letters: [NewLetter], after tries: [FailedAttempt] = [], worker: Int64? = nil, actor: String
    ) -> Request {
        precondition(tries.isEmpty || letters.count <= 1, "what was tried by itself is parked by itself")
        return Request(
            parkStatement,
            [
                .byteArrays(letters) { $0.content },
                .texts(letters) { $0.rejection.failureClass.rawValue }, .texts(letters) { $0.rejection.message },
                .int4s(letters) { Int32($0.attempts) }, .bools(letters) { $0.isStored },
                .texts(letters) { $0.market }, .texts(letters) { $0.tradeID },
                .texts(letters) { $0.buyer }, .texts(letters) { $0.seller },
                .texts(letters) { $0.stream }, .int8s(letters) { $0.sequence },
                .texts(letters) { $0.source }, .byteArrays(letters) { $0.payload },
                .text(actor),
                .texts(letters) { $0.rejection.shortfall?.account.text },
                .texts(letters) { $0.rejection.shortfall?.asset.symbol.text },
                .amounts(letters) { $0.rejection.shortfall?.needed },
                .amounts(letters) { $0.rejection.shortfall?.available },
                .amounts(letters) { $0.rejection.shortfall?.held },
                .amounts(letters) { $0.rejection.shortfall?.missing },
                .int8(worker), .timestamps(tries) { $0.at }, .texts(tries) { $0.sqlState },
                .texts(tries) { $0.message },
            ])
    }
}
