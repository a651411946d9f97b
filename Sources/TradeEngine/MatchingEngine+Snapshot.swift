import HashChain
import TradeModel

/// The whole state as bytes, from which an engine goes on as if it had never stopped: same records, same hash.
///
/// Engines in the same state write the same bytes: everything is written in an order that follows from the commands,
/// and nothing of how the state lies in memory. What finds things is built anew.
extension MatchingEngine {
    static let snapshotMagic: UInt64 = 0x454e_4c54_5445_5301
    static let snapshotVersion: UInt8 = 1

    public func snapshot() -> [UInt8] {
        var writer = ByteWriter(capacity: 1 << 16)
        writer.uint64(Self.snapshotMagic)
        writer.byte(Self.snapshotVersion)
        writer.uint64(UInt64(limits.endedOrderIDCountMax))
        writer.uint64(sequence)
        writer.uint64(hash)
        writer.uint64(tradeCount)
        writeCatalog(to: &writer)
        writeAccounts(to: &writer)
        writer.uint64(UInt64(operationKeys.keys.count))
        for key in operationKeys.keys {
            for part in [key.low, key.high, key.content] { writer.uint64(part) }
        }
        let remembered = clientIDs.remembered
        writer.uint64(UInt64(remembered.count))
        for key in remembered {
            writer.uint64(key.low)
            writer.uint64(key.high)
        }
        writer.uint64(UInt64(orders.count))
        forEachOpenOrder { $0.write(to: &writer) }
        writer.uint64(HashChain.checksum(writer.bytes))
        return Array(writer.bytes)
    }

    private func writeCatalog(to writer: inout ByteWriter) {
        writer.uint32(UInt32(assets.count))
        for (number, asset) in assets.enumerated() {
            writer.text(asset.symbol.text)
            writer.byte(UInt8(asset.decimals))
            writer.signedCompact(totals[Int32(number)].house)
            writer.signedCompact(totals[Int32(number)].world)
        }
        writer.uint32(UInt32(markets.count))
        for number in 0..<markets.count {
            let market = markets[Int32(number)]
            // A market is written as the command that lists it.
            let listing = EngineCommand(time: Timestamp(microseconds: 0), .listMarket(market.pointee.listing)).bytes
            writer.uint32(UInt32(listing.count))
            listing.withUnsafeBytes { writer.raw($0) }
            writer.byte(market.pointee.isHalted ? 1 : 0)
        }
    }

    private func writeAccounts(to writer: inout ByteWriter) {
        writer.uint64(UInt64(book.accounts.count))
        for number in 0..<book.accounts.count {
            writer.text(book.text(Int32(number)))
            writer.byte(book.accounts[Int32(number)].tier)
        }
        writer.uint64(UInt64(book.balances.count))
        for number in 0..<book.balances.count {
            let balance = book.balances[Int32(number)]
            let key = book.balanceKeys[Int32(number)]
            writer.compact(UInt64(key.account))
            writer.compact(UInt64(key.asset))
            writer.amount(balance.available)
            writer.amount(balance.held)
        }
    }

    /// Every order of every book, by market and side, in the order in which they would trade.
    func forEachOpenOrder(_ body: (RestingOrder) -> Void) {
        for number in 0..<markets.count {
            let market = markets[Int32(number)]
            for side in OrderSide.allCases {
                var level = side == .buy ? market.pointee.bids.best : market.pointee.asks.best
                while level >= 0 {
                    var place = levels[level].first
                    while place >= 0 {
                        body(orders[place])
                        place = orders[place].next
                    }
                    level = nextLevel(level, side, in: market)
                }
            }
        }
    }
}

extension RestingOrder {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.compact(number)
        writer.uint64(client.low)
        writer.uint64(client.high)
        writer.compact(UInt64(account))
        writer.compact(UInt64(market))
        writer.byte(side.rawValue)
        writer.byte(isPostOnly ? 1 : 0)
        writer.uint32(UInt32(bitPattern: makerRate))
        writer.compact(UInt64(heldBalance))
        writer.compact(UInt64(receiveBalance + 1))
        writer.compact(UInt64(tick))
        writer.compact(UInt64(lots))
        writer.compact(UInt64(remaining))
        writer.amount(hold)
    }
}
