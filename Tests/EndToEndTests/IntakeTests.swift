import Foundation
import Repository
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension Processes {
    /// The ways in, with good input and with bad: what is right settles, what is wrong is kept, nothing else happens.
    @Suite(.timeLimit(.minutes(5))) struct IntakeTests {
        // MARK: Over ZeroMQ

        @Test func `single trades and arrays settle, and a bad element refuses only itself`() async throws {
            let database = try await fundedDatabase()
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            let bad =
                #"{"id":"bad","market":"BTC/USDT","price":1.5,"quantity":"1","buyer_id":"alice","seller_id":"bob"}"#
            try await endpoint.push([
                Array(wire("a").utf8), Array("[\(wire("b")),\(bad),\(wire("c"))]".utf8), Array("[]".utf8),
                Array(#" { "v":1, "type":"trade", "stream":"s", "seq":7, "trade":\#(wire("d")) } "#.utf8),
            ])
            try await eventually("all is decided") {
                try database.trades(.settled) == 4 && database.count("dead_letters") == 1
            }
            #expect(try parked(database) == [Parked("undecodable", "zmq \(endpoint.name)", Array(bad.utf8))])
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.available("alice", "BTC") == "0.04000000")
            #expect(try database.violations() == [])
        }

        @Test func `what cannot be read is parked byte for byte, once, with where it came from`() async throws {
            let database = try await fundedDatabase()
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
            let undecodable: [[UInt8]] = [
                [], [0], [0xff, 0xfe, 0x00, 0x0a], Array("not json".utf8), Array(wire("x").dropLast().utf8),
                Array("[\(wire("x")),\(wire("y").dropLast())]".utf8), Array(deep.utf8),
                Array(wire("x", extra: #","fee":"1""#).utf8),
                Array(#"{"v":2,"type":"trade","trade":\#(wire("x"))}"#.utf8),
                Array(#"{"v":1,"type":"deposit","trade":\#(wire("x"))}"#.utf8),
                Array("[\(String(repeating: wire("x") + ",", count: 3))]".utf8),
                Array(repeating: 0x20, count: 1_000_000),
            ]
            let invalid: [[UInt8]] = [
                Array(wire("x", price: "-5").utf8), Array(wire("", price: "5").utf8), Array(wire("a\\u0000b").utf8),
                Array(wire(String(repeating: "9", count: 65)).utf8), Array(wire("x", price: "1e5").utf8),
            ]
            try await endpoint.push(undecodable + invalid)
            try await endpoint.push((undecodable + invalid).reversed())
            let socket = try PushSocket(endpoint: endpoint.name)
            let parts = [Array(wire("x").utf8), Array(wire("y").utf8)]
            #expect(try await socket.send(parts: parts, timeout: .seconds(60)))
            try await socket.close(linger: .seconds(60))
            try await endpoint.push(wire("last"))
            try await eventually("the last is settled") { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)

            let source = "zmq \(endpoint.name)"
            var expected = undecodable.map { Parked("undecodable", source, $0) }
            expected += invalid.map { Parked("invalid", source, $0) }
            expected.append(Parked("undecodable", source, parts[0] + parts[1]))
            #expect(Set(try parked(database)) == Set(expected))
            #expect(try database.count("dead_letters") == expected.count)
            #expect(try database.count("dead_letter_attempts") == expected.count)
            #expect(try database.violations() == [])
        }

        @Test func `a message that is too large costs its sender the connection and nobody else anything`() async throws
        {
            let database = try await fundedDatabase()
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            let large = try PushSocket(endpoint: endpoint.name)
            let tooLarge = Array(repeating: UInt8(ascii: " "), count: (1 << 20) + 1)
            #expect(try await large.send([tooLarge], timeout: .seconds(60)) == 1)
            try await endpoint.push(wire("small"))
            try await eventually("the small one is settled") { try database.trades(.settled) == 1 }
            try await large.close(linger: .zero)
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.count("dead_letters") == 0)
            #expect(try database.violations() == [])
        }

        @Test func `trades of unknown markets and accounts are parked, and the same trade is not parked twice`()
            async throws
        {
            let database = try await fundedDatabase()
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            let unknown = [
                wire("m", market: "DOGE/USDT"), wire("m", market: "ETH/BTC"), wire("a", seller: "nobody"),
                wire("fine", price: "0.0000001"),
            ]
            for _ in 1...3 { try await endpoint.push(unknown.map { Array($0.utf8) }) }
            try await endpoint.push(wire("last"))
            try await eventually("the last is settled") { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)
            let classes = try database.value("select string_agg(class, ' ' order by class) from dead_letters")
            #expect(classes == "invalid unknown_account unknown_market unknown_market")
            #expect(try database.count("dead_letter_attempts") == 4)
            #expect(try database.violations() == [])
        }

        @Test func `a full queue stops the reading, and nothing is lost`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(6_000, accounts: 10, seed: seed)
            try await load.prepare(database)
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: database, ["--queue-size", "8", "--batch", "4"], intake: endpoint.name)
            let socket = try PushSocket(endpoint: endpoint.name, waitingMessagesMax: 10)
            let all = messages(of: load.trades, 1)
            // However long one waits, the sender cannot get rid of all: about as many as the receiver reads ahead.
            let sent = try await socket.send(all, timeout: .milliseconds(500))
            #expect(sent < all.count, "\(sent) messages were taken")
            let inFlight = try await inFlightCount(database)
            #expect(inFlight <= 8 + 10 * 4)

            try lock.script("rollback")
            #expect(try await socket.send(Array(all[sent...]), timeout: .seconds(120)) == all.count - sent)
            try await eventually("all is settled") { try database.trades(.settled) == load.trades.count }
            // Not sooner: what lies in the kernel's buffers goes with the connection.
            try await socket.close(linger: .zero)
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        /// What the worker says it has in the queue and in work, at its next heartbeat.
        private func inFlightCount(_ database: TestDatabase) async throws -> Int {
            var count = 0
            try await eventually("the worker says what it has") {
                count = Int(try database.value("select max(in_flight) from workers")) ?? 0
                return count > 0
            }
            return count
        }

        // MARK: From a file

        @Test func `a hundred thousand lines are followed to their outcome`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(100_000, accounts: 200, seed: seed)
            try await load.prepare(database)
            let worker = try await Program.worker(on: database)
            let lines = messages(of: load.trades, 1).map { String(decoding: $0, as: UTF8.self) }
            let text = lines.joined(separator: "\n") + "\n"
            let result = try await Program.run(
                on: database, "trade", "submit", "-", "--wait", input: text, timeout: .seconds(240))
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.output == "100,000 accepted, 0 duplicates, 0 refused\n100,000 settled, 0 parked\n")
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        @Test func `the same trades from a file and over ZeroMQ at once, in opposite order, do not deadlock`()
            async throws
        {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(8_000, accounts: 10, seed: seed)
            try await load.prepare(database)
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            let lines = messages(of: load.trades.reversed(), 1).map { String(decoding: $0, as: UTF8.self) + "\n" }
            async let pushed: Void = endpoint.push(load.trades, inMessagesOf: 500)
            async let first = Program.run(on: database, "trade", "submit", input: lines.joined())
            async let second = Program.run(on: database, "trade", "submit", input: lines.reversed().joined())
            let results = try await (first, second, pushed)
            #expect(results.0.exitCode == 0, "\(results.0.errors)")
            #expect(results.1.exitCode == 0, "\(results.1.errors)")
            try await eventually("all is settled") {
                try database.trades(.settled) == load.trades.count && database.trades(.pending) == 0
            }
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        @Test func `two files of the same trades in opposite order wait for each other and do not deadlock`()
            async throws
        {
            let database = try TestDatabase()
            let load = TradeLoad(1_000, accounts: 10, seed: 1)
            try await load.prepare(database)
            // Both come to the same trade in the middle and wait there, each with its first half stored.
            let middle = load.trades[500]
            let holder = try database.connect()
            try holder.script(
                "begin; insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) values "
                    + "('\(middle.market)', '\(middle.id)', \(middle.price), \(middle.quantity), '\(middle.buyer)', "
                    + "'\(middle.seller)')")
            let lines = messages(of: load.trades, 1).map { String(decoding: $0, as: UTF8.self) + "\n" }
            async let first = Program.run(on: database, "trade", "submit", input: lines.joined())
            async let second = Program.run(on: database, "trade", "submit", input: lines.reversed().joined())
            try await eventually("both wait") {
                try database.count("pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
                    == 2
            }
            try holder.script("rollback")
            let results = try await [first, second]
            for result in results { #expect(result.exitCode == 0, "\(result.errors)") }
            // Who was first decides the order, and it is that of a file.
            let order = try database.value("select string_agg(trade_id, ' ' order by received_seq) from trades")
            let names = load.trades.map(\.id.text)
            #expect(order == names.joined(separator: " ") || order == names.reversed().joined(separator: " "))
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        // MARK: By hand

        @Test func `rows stored by hand settle or are parked, whatever they hold`() async throws {
            let database = try await fundedDatabase()
            let worker = try await Program.worker(on: database)
            for row in [
                ("good", "100", "0.01", "alice", "bob"), ("decimals", "100", "0.0000000001", "alice", "bob"),
                ("nan", "'NaN'", "0.01", "alice", "bob"), ("infinite", "'Infinity'", "0.01", "alice", "bob"),
                ("huge", "repeat('9', 500)::numeric", "0.01", "alice", "bob"), ("negative", "-1", "1", "alice", "bob"),
                ("zero", "0", "1", "alice", "bob"), ("unknown", "100", "0.01", "alice", "nobody"),
                ("control", "100", "0.01", #"al\nice"#, "bob"),
            ] {
                try database.execute(
                    """
                    insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
                    values ('BTC/USDT', '\(row.0)', \(row.1), \(row.2), E'\(row.3)', '\(row.4)')
                    """)
            }
            try await eventually("nothing is PENDING") { try database.trades(.pending) == 0 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.trades(.settled) == 1)
            #expect(
                try database.value(
                    "select string_agg(trade_id || ' ' || class, ', ' order by trade_id) from dead_letters")
                    == "control invalid, decimals invalid, huge invalid, infinite invalid, nan invalid, negative invalid, "
                    + "unknown unknown_account, zero invalid")
            #expect(try database.count("dead_letters where trade_id is not null and stored") == 8)
            #expect(try await Program.run(on: database, "dlq", "list").exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test(arguments: [#"a\nb"#, #"\x01"#, #"tab\t"#, #"del\x7f"#])
        func `a row whose id no trade could have is refused to whoever stores it`(_ id: String) async throws {
            let database = try await fundedDatabase()
            let insert =
                "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) "
                + "values ('BTC/USDT', E'\(id)', 100, 0.01, 'alice', 'bob')"
            #expect(throws: DatabaseError.self) { try database.execute(insert) }
            #expect(try database.count("trades") == 0)
        }

        @Test func `the ids that a trade may have can be stored by hand`() async throws {
            let database = try await fundedDatabase()
            for id in ["ü", "日本", "\u{85}", "a b", "'", #"\"#] {
                try database.execute(
                    "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) "
                        + "values ('BTC/USDT', '\(id.replacing("'", with: "''"))', 100, 0.01, 'alice', 'bob')")
            }
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            #expect(try database.trades(.settled) == 6)
            #expect(try database.violations() == [])
        }
    }
}

/// A database with a market, and with Alice and Bob who have money.
func fundedDatabase() async throws -> TestDatabase {
    let database = try TestDatabase()
    try database.addMarket()
    try await deposit([("alice", "1000", "USDT"), ("bob", "10", "BTC")], in: database)
    return database
}

/// A small trade between Alice and Bob as a sender writes it.
private func wire(
    _ id: String, market: String = "BTC/USDT", price: String = "100", seller: String = "bob", extra: String = ""
) -> String {
    #"{"id":"\#(id)","market":"\#(market)","price":"\#(price)","quantity":"0.01","buyer_id":"alice","#
        + #""seller_id":"\#(seller)"\#(extra)}"#
}

/// A dead letter, by what was received.
private struct Parked: Hashable {
    let failureClass: String
    let source: String
    let payload: [UInt8]

    init(_ failureClass: String, _ source: String, _ payload: [UInt8]) {
        self.failureClass = failureClass
        self.source = source
        self.payload = payload
    }
}

private func parked(_ database: TestDatabase) throws -> [Parked] {
    let connection = try database.connect()
    return try DeadLetterStore.decode(
        try connection.query(DeadLetterStore.list(LetterFilter(), after: 0, limit: 1_000))
    ).map { letter in
        let versions = try connection.query(DeadLetterStore.versions(of: letter.number))
        return Parked(letter.failureClass, letter.source, DeadLetterStore.decodeVersions(versions)[0].payload)
    }
}
