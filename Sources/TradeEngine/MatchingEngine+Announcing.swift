import TradeModel

/// What commands will need is brought near while those before them are carried out.
///
/// Two things are between a command and its money, and memory is waited for at each: an index says where an account or
/// an order lies, and only that says where its balances and neighbours lie. So each command that is announced takes
/// those announced before it one step further, and nothing is waited for on the way.
extension MatchingEngine {
    /// So many commands ahead of the one that is carried out next, announcing serves.
    public static var announcingDistance: Int { 3 }

    /// Says what command will come soon, so that it takes less time then. Nothing else follows from it: one that was
    /// announced need not come, and one that comes need not have been announced. What the indexes name is believed
    /// without a look at it, since a wrong guess only brings near what nobody needs.
    public mutating func announce(_ command: UnsafeRawBufferPointer) {
        switch announced.located {
        case .account(let place)?: book.bringBalancesNear(of: place)
        case .order(let place)?: bringNear(place)
        case nil: break
        }
        announced.located = announced.sought.flatMap { locate($0) }
        announced.sought = EngineCommandGlance(command).map { seek($0) }
    }

    @inline(__always) private mutating func seek(_ glance: EngineCommandGlance) -> AnnouncedCommands.Sought {
        switch glance {
        case .place(let account, let client):
            let hash = AccountBook.hash(of: account)
            book.bringNear(hash)
            if !client.isEmpty { clientIDs.bringNear(RememberedIDs.key(hash, client)) }
            return .account(hash)
        case .change(_, .number(let number)):
            orderIndex.bringNear(spread(number))
            return .order(number)
        case .change(let account, .clientOrderID(let text)):
            let key = RememberedIDs.key(account, text)
            clientIDs.bringNear(key)
            return .client(key)
        }
    }

    @inline(__always) private mutating func locate(_ sought: AnnouncedCommands.Sought) -> AnnouncedCommands.Located? {
        switch sought {
        case .account(let hash):
            guard let place = book.likelyAccount(hash) else { return nil }
            book.accounts.bringNear(place)
            return .account(place)
        case .order(let number):
            guard let place = orderIndex.likely(spread(number)) else { return nil }
            orders.bringNear(Int32(bitPattern: place))
            return .order(Int32(bitPattern: place))
        case .client(let key):
            guard let place = clientIDs.likelyOrder(key) else { return nil }
            orders.bringNear(place)
            return .order(place)
        }
    }
}

/// How far the two commands are that were announced last.
struct AnnouncedCommands {
    /// By what a command's account or order is found.
    enum Sought {
        case account(UInt64)
        case order(UInt64)
        case client(ClientKey)
    }

    /// Where it lies.
    enum Located: Equatable {
        case account(Int32)
        case order(Int32)
    }

    /// Of the last, a part of the index is on its way.
    var sought: Sought?
    /// Of the one before, what the index named is.
    var located: Located?
}
