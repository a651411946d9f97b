import Repository

/// The tables of opponents that settle one trade at a time: no triggers and no foreign keys, only what they need.
enum OpponentTables {
    static let baseNumber: Int32 = 1
    static let quoteNumber: Int32 = 2
    static let stripeCount = 64

    /// Makes the tables with money for all accounts, and the function that settles a trade.
    ///
    /// - Parameter name: what the tables' names begin with.
    static func make(_ name: String, accountCount: Int, on connection: PostgresConnection) throws(DatabaseError) {
        try connection.script(
            """
            create table \(name)_balances (
                account_no bigint not null, asset_no integer not null, available numeric(38, 0) not null,
                version bigint not null default 0, primary key (account_no, asset_no),
                check (available >= 0 or account_no < 0)
            ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
            insert into \(name)_balances
            select a, s, 1000000000000000 from generate_series(0, \(accountCount - 1)) a, generate_series(1, 2) s;
            insert into \(name)_balances
            select a, s, 1 from generate_series(\(accountCount),
                \(accountCount + LoadShape.poorAccountCount - 1)) a, generate_series(1, 2) s;
            insert into \(name)_balances
            select - a, s, 0 from generate_series(1, \(stripeCount)) a, generate_series(1, 2) s;
            create table \(name)_trades (
                market text collate "C" not null, trade_id text collate "C" not null, price numeric not null,
                quantity numeric not null, buyer_no bigint not null, seller_no bigint not null,
                buyer_fee numeric not null, seller_fee numeric not null, settled_at timestamptz not null default now(),
                primary key (market, trade_id));
            create table \(name)_entries (
                entry_no bigint generated always as identity primary key, account_no bigint not null,
                asset_no integer not null, version bigint not null, kind text not null, trade_id text not null,
                delta numeric(38, 0) not null, balance_after numeric(38, 0) not null);
            create function \(name)_move(account bigint, asset integer, delta numeric, kind text, trade text)
            returns void language plpgsql as $$
            declare
                after numeric;
                versioned bigint;
            begin
                update \(name)_balances set available = available + delta, version = version + 1
                 where account_no = account and asset_no = asset
                   and (available + delta >= 0 or account_no < 0)
                returning available, version into after, versioned;
                if not found then
                    raise exception 'insufficient funds' using errcode = 'P0001';
                end if;
                insert into \(name)_entries (account_no, asset_no, version, kind, trade_id, delta, balance_after)
                values (account, asset, versioned, kind, trade, delta, after);
            end $$;
            create function \(name)_settle(
                trade_market text, trade text, trade_price numeric, trade_quantity numeric, buyer bigint, seller bigint,
                trade_buyer_fee numeric, trade_seller_fee numeric, base_delta numeric, buyer_base numeric,
                quote_delta numeric, seller_quote numeric, house bigint, house_asset integer, house_delta numeric
            ) returns void language plpgsql as $$
            begin
                insert into \(name)_trades (market, trade_id, price, quantity, buyer_no, seller_no, buyer_fee,
                                         seller_fee)
                values (trade_market, trade, trade_price, trade_quantity, buyer, seller, trade_buyer_fee,
                        trade_seller_fee);
                if buyer < seller then
                    perform \(name)_move(buyer, 1, buyer_base, 'trade', trade),
                            \(name)_move(buyer, 2, - quote_delta, 'trade', trade),
                            \(name)_move(seller, 1, - base_delta, 'trade', trade),
                            \(name)_move(seller, 2, seller_quote, 'trade', trade);
                else
                    perform \(name)_move(seller, 1, - base_delta, 'trade', trade),
                            \(name)_move(seller, 2, seller_quote, 'trade', trade),
                            \(name)_move(buyer, 1, buyer_base, 'trade', trade),
                            \(name)_move(buyer, 2, - quote_delta, 'trade', trade);
                end if;
                perform \(name)_move(house, house_asset, house_delta, 'fee', trade);
            end $$;
            analyze \(name)_balances;
            """)
    }

    /// A table for the rows of trades, with the columns and the key of `trades`.
    static func makeCopied(on connection: PostgresConnection) throws(DatabaseError) {
        try connection.script("create table copied_trades (like trades, primary key (market, trade_id))")
    }

    /// What the tables of the opponents are called, for those who measure the others.
    static let namePattern = "^(naive|naive_striped|function|copied|pgbench|one_row)_"
}
