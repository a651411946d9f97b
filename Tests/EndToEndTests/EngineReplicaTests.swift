import EngineHost
import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension EngineProcesses {
    /// A follower takes the place of an engine that is gone, with real processes.
    @Suite(.timeLimit(.minutes(5))) struct EngineReplicaTests {
        @Test func `a worker that reaches no engine lets go of the stream, and another has its turn`() async throws {
            let database = try TestDatabase()
            let (gone, there) = (Venue(), Venue())
            let engine = try await there.start("--no-wal")
            let lost = try await gone.worker(on: database)
            try await eventually("it has the lease") {
                try database.value("select count(*) from feed_state where follower is not null") == "1"
            }
            let next = try await there.worker(on: database)
            #expect(await next.waitFor("stands by for the feed"))

            _ = try await there.client().carryOut(OrderFlow.opening)
            try await eventually("it is settled") {
                try database.watermark() == Int64(OrderFlow.opening.count)
            }
            #expect(lost.errorsSoFar.contains("does not answer"))
            #expect(!lost.errorsSoFar.contains("follows the feed"))
            for program in [lost, next, engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `an engine that is killed is silent to everybody who looks, and said so once`() async throws {
            // given
            let database = try TestDatabase()
            let venue = Venue()
            defer { venue.removeFolder() }
            var engine = try await venue.start()
            _ = try await venue.client().carryOut(OrderFlow.opening)
            let worker = try await venue.worker(on: database)
            let count = Int64(OrderFlow.opening.count)
            try await eventually("it is settled") { try database.watermark() == count }

            // when
            engine.signal(SIGKILL)
            #expect(await engine.wait().wasKilled)
            #expect(await worker.waitFor("cannot follow the feed"))
            let before = try database.value("select lease_epoch from feed_state")
            try await eventually("it was asked anew, twice") {
                try database.value("select lease_epoch >= \(before) + 2 from feed_state") == "true"
            }
            try database.execute("update feed_state set heard_at = heard_at - interval '5 minutes'")

            // then
            let status = try await database.typing("feed status")
            #expect(status.output.contains("silent for 5 minutes"), "\(status)")
            #expect(status.errors.contains("Next: settle engine status --engine tcp://HOST:PORT"))
            let doctor = try await database.typing("doctor")
            #expect(doctor.exitCode == 3)
            #expect(doctor.output.contains("nothing was heard from the feed of stream main for 5 minutes"))

            // and
            engine = try await venue.start()
            #expect(await worker.waitFor("follows the feed", times: 2))
            try await eventually("it is heard") {
                try await database.typing("feed status").output.contains("followed")
            }
            let log = worker.errorsSoFar
            #expect(log.matches(of: /event="cannot follow the feed"/).count == 1, "\(log)")
            #expect(log.matches(of: /event="follows the feed"/).count == 2, "\(log)")
            for program in [worker, engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `the leader is killed under load, and everything that its follower has is settled`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            // given: no log on disk
            let database = try TestDatabase()
            let (first, second) = (Venue(), Venue())
            defer { second.removeFolder() }
            let leader = try await first.start("--no-wal")
            let follower = try await second.start("--no-wal", "--follow", first.feed.name)
            let settling = try await first.worker(on: database)
            var flow = OrderFlow(seed: seed)
            _ = try await first.client().carryOut(OrderFlow.opening)

            // when
            let load = Task { [flow] in
                var flow = flow
                let client = try first.client(timeout: .seconds(1))
                while true {
                    // While it lives it is only slow.
                    do { _ = try await client.carryOut(flow.next(50)) } catch  where leader.isRunning { continue }
                }
            }
            try await eventually("the follower goes along") { try await second.answer().sequence > 1_000 }
            leader.signal(SIGKILL)
            await leader.wait()
            await #expect(throws: EntryFailure.self) { try await load.value }
            var promotion = try await second.typing("engine promote --reason killed --json")
            if promotion.exitCode != 0 {
                // It has heard of records that did not come any more.
                #expect(promotion.errors.contains("lacks record"), "\(promotion.errors)")
                promotion = try await second.typing("engine promote --reason killed --force --json")
            }
            #expect(promotion.exitCode == 0, "\(promotion.errors)")
            #expect(promotion.output.contains("\"promoted\": true") && promotion.output.contains("\"epoch\": 2"))
            #expect(await settling.stop().exitCode == 0)
            let next = try await second.worker(on: database)
            _ = try await second.client().carryOut(flow.next(300))

            // then
            let end = try await second.answer()
            #expect(end.sequence > 1_000 && end.trades > 100)
            try await eventually("all is settled") { try database.watermark() == end.sequence }
            #expect(try database.value("select encode(hash, 'hex') from feed_state") == end.hash)
            #expect(try database.value("select engine_epoch from feed_state") == "2")
            #expect(try database.trades(.settled) == end.trades)
            #expect(try database.count("dead_letters") == 0)
            for account in OrderFlow.accounts {
                for asset in OrderFlow.assets {
                    let there = try await second.answer(.balance(account, asset)).balance
                    let here = try database.value(
                        """
                        select available || ' ' || frozen from account_balances
                         where account = '\(account)' and asset = '\(asset)'
                        """)
                    #expect(here == there.map { "\($0.available) \($0.held)" })
                }
            }
            for program in [next, follower] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test
        func `an old leader that comes back is not followed by settlement, nor may it follow what it contradicts`()
            async throws
        {
            // given
            let database = try TestDatabase()
            let (first, second) = (Venue(), Venue())
            defer { for venue in [first, second] { venue.removeFolder() } }
            var leader = try await first.start("--wal", first.folder)
            let follower = try await second.start("--wal", second.folder, "--follow", first.feed.name)
            var settling = try await first.worker(on: database)
            var flow = OrderFlow(seed: 5)
            _ = try await first.client().carryOut(OrderFlow.opening + flow.next(100))
            let before = try await first.answer()
            try await eventually("the follower has it") { try await second.answer().sequence == before.sequence }
            #expect(await leader.stop().exitCode == 0)
            #expect(try await second.typing("engine promote --reason moved").exitCode == 0)
            #expect(await settling.stop().exitCode == 0)
            settling = try await second.worker(on: database)
            _ = try await second.client().carryOut(flow.next(20))
            let end = try await second.answer()
            try await eventually("it is settled") {
                try database.value("select watermark || ' ' || engine_epoch from feed_state") == "\(end.sequence) 2"
            }
            #expect(await settling.stop().exitCode == 0)

            // when
            leader = try await first.start("--wal", first.folder)
            _ = try await first.client().carryOut(flow.next(40))
            settling = try await first.worker(on: database)

            // then
            #expect(await settling.waitFor("the epoch here is 1, the consumer has seen 2"))
            #expect(try database.watermark() == end.sequence)
            #expect(try database.value("select coalesce(halted_for, 'no') from feed_state") == "no")
            for program in [settling, leader] { #expect(await program.stop().exitCode == 0) }

            let rejoining = try Program(
                [
                    "engine", "--orders", first.orders.name, "--feed", first.feed.name, "--wal", first.folder,
                    "--follow", second.feed.name,
                ])
            let result = await rejoining.wait()
            #expect(result.exitCode == 3)
            #expect(
                result.errors.contains(
                    "settle: this engine differs from its leader at \(second.feed.name), and must not "))
            #expect(await follower.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `engines say whether they lead or follow, and why one does not lead`() async throws {
            let (first, second) = (Venue(), Venue())
            let leader = try await first.start("--no-wal")
            let follower = try await second.start("--no-wal", "--follow", first.feed.name)
            _ = try await first.client().carryOut(Array(OrderFlow.opening.prefix(3)))
            try await eventually("the follower has it") { try await second.answer().sequence == 3 }
            let hash = try await first.answer().hash
            #expect(
                try await second.typing("engine status").output == """
                    STREAM  ROLE       EPOCH  SEQUENCE  HASH              LEADER
                    main    following      1         3  \(hash)  \(first.feed.name) (all taken)

                    """)
            try await eventually("the leader knows that it has it") {
                try await first.typing("engine status").output.contains(
                    #/CONSUMER +BEHIND  STATE\nreplica-[0-9a-f]{16} +0  follows\n/#)
            }
            let json = try await second.typing("engine status --json").output
            #expect(
                json == """
                    {
                      "stream": "main",
                      "role": "following",
                      "epoch": 1,
                      "sequence": 3,
                      "hash": "\(hash)",
                      "leader": {
                        "feed": "\(first.feed.name)",
                        "connected": true,
                        "newest": 3,
                        "behind": 0,
                        "problem": null
                      },
                      "consumers": [],
                      "open_orders": 0,
                      "accounts": 0,
                      "trades": 0
                    }

                    """)

            let refused = try await second.typing("engine promote --reason trial")
            #expect(refused.exitCode == 1 && refused.output == "")
            #expect(
                refused.errors
                    == "settle: the leader at \(first.feed.name) still answers, and of two that lead one would be wrong; "
                    + "stop it first\n")
            #expect(
                try await first.typing("engine promote --reason trial").output
                    == "the engine leads already behind record 3, in epoch 1\n")
            let order = try await second.typing("deposit 1001 5 BTC --id dep-1 --engine \(second.orders.name)")
            #expect(order.exitCode == 1 && order.errors.contains("and that one takes the orders"))

            leader.signal(SIGKILL)
            await leader.wait()
            #expect(
                try await second.typing("engine promote --dry-run").output
                    == "the engine would lead behind record 3, in epoch 2\n")
            let promoted = try await second.typing("engine promote --reason killed")
            #expect(promoted.output == "the engine leads behind record 3, in epoch 2\n")
            #expect(promoted.errors == "Next: settle worker --feed \(second.feed.name)\n")
            #expect(await follower.waitFor("the engine leads"))
            #expect(await follower.stop().exitCode == 0)
            let gone = try await second.typing("engine status")
            #expect(gone.exitCode == 69 && gone.errors.contains("does not answer"))
        }

        @Test func `what will not come back is forgotten, by name and with a reason`() async throws {
            let (first, second) = (Venue(), Venue())
            defer { second.removeFolder() }
            let leader = try await first.start("--no-wal")
            let follower = try await second.start("--wal", second.folder, "--follow", first.feed.name)
            _ = try await first.client().carryOut(Array(OrderFlow.opening.prefix(3)))
            try await eventually("the leader knows that it has it") {
                try await first.answer().standing?.consumers.first?.acknowledged == 3
            }
            let replica = try #require(try await first.answer().standing?.consumers.first?.name)
            let early = try await first.typing("engine forget \(replica) --reason gone")
            #expect(early.exitCode == 1)
            #expect(
                early.errors == "settle: consumer '\(replica)' follows the engine at the moment; stop it first\n")
            #expect(await follower.stop().exitCode == 0)

            try await eventually("it is away") {
                try await first.answer().standing?.consumers.first?.isFollowing == false
            }
            #expect(
                try await first.typing("engine forget \(replica) --dry-run --json").output.contains(
                    "\"would_forget\": true"))
            #expect(
                try await first.typing("engine forget \(replica) --reason gone").output
                    == "consumer '\(replica)' is forgotten; it had everything up to record 3\n")
            try await eventually("nothing is kept") { try await first.answer().standing?.consumers.isEmpty == true }
            let unknown = try await first.typing("engine forget \(replica) --reason gone")
            #expect(unknown.exitCode == 5 && unknown.errors.contains("knows no consumer '\(replica)'"))
            #expect(await leader.waitFor("a consumer is forgotten"))
            #expect(await leader.stop().exitCode == 0)
        }

        @Test func `an engine does not follow itself, nor lead without a reason`() async throws {
            let itself = try await Program.run("engine", "--no-wal", "--follow", "tcp://127.0.0.1:5561")
            #expect(itself.exitCode == 64 && itself.errors.contains("'--follow' names another engine's feed"))
            let reasonless = try await Program.run("engine", "promote")
            #expect(reasonless.exitCode == 64 && reasonless.errors.contains("--reason"))
        }
    }
}
