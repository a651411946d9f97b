import TradeModel

/// What a record of an engine means for the books.
extension EngineOutput {
    /// What is to be settled because of the record, in its order; nothing where no money moved.
    ///
    /// The key of what the engine did by itself is its place: the record, and the event in it.
    public func items(of stream: Identifier) -> [SettlementItem] {
        guard rejection == nil else { return [] }
        let origin = SettlementItem.Origin.feed(StreamPlace(stream: stream, sequence: Int64(sequence)))
        var items: [SettlementItem] = []
        switch command.action {
        case .deposit(let transfer):
            items.append(SettlementItem(.operation(transfer.operation(.deposit)), origin: origin))
        case .withdraw(let transfer):
            items.append(SettlementItem(.operation(transfer.operation(.withdrawal)), origin: origin))
        default: break
        }
        guard let market, let account = command.account else { return items }
        for (index, event) in events.enumerated() {
            func change(
                _ kind: Operation.Kind, _ account: Identifier, _ asset: MarketAsset, _ amount: Amount, _ order: UInt64
            ) -> SettlementItem.Subject {
                .operation(
                    Operation(
                        key: Identifier(stored: "\(stream):\(sequence).\(index)"), kind: kind, account: account,
                        asset: market.symbol(of: asset),
                        amount: DecimalNumber(amount, decimals: market.decimals(of: asset)),
                        order: OrderKey(stream: stream, order: Identifier(stored: "\(order)"))))
            }
            let subject: SettlementItem.Subject
            switch event {
            case .hold(let order, let asset, let amount): subject = change(.reserve, account, asset, amount, order)
            case .release(let order, let owner, let asset, let amount):
                subject = change(.release, owner, asset, amount, order)
            case .trade(let trade): subject = .trade(trade.trade(in: market, of: stream, self))
            case .new, .state, .amended: continue
            }
            items.append(SettlementItem(subject, origin: origin))
        }
        return items
    }
}

extension EngineOutput {
    /// What the books must know from the record on.
    public var listing: Listing? {
        guard rejection == nil else { return nil }
        return switch command.action {
        case .listAsset(let symbol, let decimals): .asset(symbol, decimals: decimals)
        case .listMarket(let market):
            .market(
                market.symbol, priceDecimals: market.tick.scale, tick: market.tick, lot: market.lot,
                fees: market.feeRule)
        default: nil
        }
    }
}

extension Transfer {
    fileprivate func operation(_ kind: Operation.Kind) -> Operation {
        Operation(key: key, kind: kind, account: account, asset: asset, amount: amount)
    }
}

extension EngineTrade {
    fileprivate func trade(in market: MarketScale, of stream: Identifier, _ record: EngineOutput) -> Trade {
        func fee(_ amount: Amount, _ side: OrderSide) -> DecimalNumber {
            DecimalNumber(amount, decimals: market.decimals(of: market.feeAsset(of: side)))
        }
        return Trade(
            id: Identifier(stored: "\(number)"), market: market.symbol,
            price: DecimalNumber(price, decimals: market.priceDecimals),
            quantity: DecimalNumber(quantity, decimals: market.baseDecimals), buyer: buyer, seller: seller,
            buyOrder: Identifier(stored: "\(buyOrder)"), sellOrder: Identifier(stored: "\(sellOrder)"),
            taker: takerSide == .buy ? .buyer : .seller, buyerFee: fee(buyerFee, .buy),
            sellerFee: fee(sellerFee, .sell), executedAt: record.command.time, stream: stream,
            sequence: Int64(record.sequence))
    }
}
