extension Verification {
    /// What a reversed trade moved stands in the ledger once more, the other way round, in the batch that the reversal
    /// names, and nowhere else: asked of the trade itself, not of its entries.
    static let reversalsCheck = Check(
        3, "verify_3_reversals",
        """
        with reversed as (
            select m.market_no, m.base_no, m.quote_no, m.fees, r.batch_no, r.trade_id, t.status,
                   buyer.account_no as buyer, seller.account_no as seller,
                   t.quantity * 10::numeric ^ base.decimals as quantity,
                   floor(t.price * t.quantity * 10::numeric ^ quote.decimals) as quote,
                   t.buyer_fee * 10::numeric ^ (case m.fees when 'received' then base.decimals
                                                else quote.decimals end) as buyer_fee,
                   t.seller_fee * 10::numeric ^ quote.decimals as seller_fee
              from (select * from reversals where batch_no between $1 and $2) r
              left join trades t on t.market = r.market and t.trade_id = r.trade_id
              left join markets m on m.symbol = r.market
              left join assets base on base.asset_no = m.base_no
              left join assets quote on quote.asset_no = m.quote_no
              left join accounts buyer on buyer.id = t.buyer_id and buyer.kind = 'customer'
              left join accounts seller on seller.id = t.seller_id and seller.kind = 'customer'),
        expected as (
            select market_no, trade_id, batch_no, account_no, asset_no, sum(delta) as delta from (
                select market_no, trade_id, batch_no, buyer as account_no, base_no as asset_no,
                       (case fees when 'received' then buyer_fee else 0 end) - quantity as delta from reversed
                union all
                select market_no, trade_id, batch_no, buyer, quote_no,
                       quote + (case fees when 'quote' then buyer_fee else 0 end) from reversed
                union all
                select market_no, trade_id, batch_no, seller, base_no, quantity from reversed
                union all
                select market_no, trade_id, batch_no, seller, quote_no, seller_fee - quote from reversed
                union all
                select market_no, trade_id, batch_no, 0,
                       case fees when 'received' then base_no else quote_no end, - buyer_fee from reversed
                union all
                select market_no, trade_id, batch_no, 0, quote_no, - seller_fee from reversed) legs
             group by 1, 2, 3, 4, 5 having sum(delta) <> 0),
        booked as (
            select e.market_no, e.cause_id as trade_id, e.batch_no,
                   case a.kind when 'house' then 0 else e.account_no end as account_no, e.asset_no,
                   sum(e.available_delta) as delta, sum(e.frozen_delta) as frozen
              from ledger_entries e join accounts a using (account_no)
             where e.kind = 'reversal' and e.batch_no between $1 and $2
             group by 1, 2, 3, 4, 5 having sum(e.available_delta) <> 0 or sum(e.frozen_delta) <> 0)
        select 'reversal of ' || coalesce(m.symbol, '?') || ':' || trade_id,
               format('batch %s, account %s, asset %s: the trade says %s, the ledger %s', batch_no,
                   account_no, asset_no, coalesce(x.delta, 0), coalesce(b.delta, 0))
          from expected x full join booked b using (market_no, trade_id, batch_no, account_no, asset_no)
          left join markets m using (market_no)
         where x.delta is distinct from b.delta or b.frozen <> 0
         union all
        select 'reversal of ' || coalesce(m.symbol, '?') || ':' || r.trade_id,
               format('its trade is %s', coalesce(r.status::text, 'missing'))
          from reversed r left join markets m using (market_no) where r.status is distinct from 'SETTLED'
         order by 1 limit $3
        """)
}
