import EngineHost
import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension EngineProcesses {
    /// docs/backup.md: what comes back after the loss of a server, what does not, and how that is seen.
    @Suite(.timeLimit(.minutes(5))) struct BackupTests {
        /// Money for the trades of a sender, whose numbers say when something is missing.
        private static let sender = TradeLoad(60, accounts: 6, seed: 11, prefix: "pushed", stream: "other")

        private func push(_ trades: some Collection<Trade>, to endpoint: Endpoint) async throws {
            try await endpoint.push(messages(of: trades, 1))
        }

        private func trade(_ venue: TradingVenue, _ count: Int) async throws {
            for _ in 0..<count {
                try await venue.carryOut(
                    TradingVenue.order("carol", .sell, "0.01", at: "100"),
                    TradingVenue.order("dave", .buy, "0.01", at: "100"))
            }
        }

        /// The engine lists what the sender trades, too, and has accounts of its own.
        private func open(_ venue: TradingVenue, _ server: ArchivingServer, _ worker: Program) async throws {
            try await Self.sender.deposit(in: server.database)
            try await venue.carryOut(
                TradingVenue.deposit("dave", "100000", "USDT"), TradingVenue.deposit("carol", "100", "BTC"))
        }

        private func settledPushes(_ database: TestDatabase) throws -> Int {
            try database.count("trades where status = 'SETTLED' and stream = 'other'")
        }

        private func follow(_ venue: TradingVenue, _ intake: Endpoint, _ database: TestDatabase) async throws -> Program
        {
            try await Program.worker(
                on: database, ["--feed", venue.feed.name], intake: intake.name,
                environment: [
                    "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "500", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "100",
                ])
        }

        @Test func `a ledger that is restored to a moment takes from the engine what it lacks, and senders send again`()
            async throws
        {
            // Given: an engine and a sender whose trades are settled, and a backup from the midst of it.
            let primary = try ArchivingServer.primary()
            let (venue, intake) = (try await TradingVenue(), Endpoint())
            try primary.database.addMarket()
            var worker = try await follow(venue, intake, primary.database)
            try await venue.carryOut(TradingVenue.listings)
            try await open(venue, primary, worker)
            try await trade(venue, 5)
            try await push(Self.sender.trades[..<20], to: intake)
            try primary.takeBackup()
            try await trade(venue, 5)
            try await push(Self.sender.trades[20..<40], to: intake)
            try await eventually("all is settled") {
                try settledPushes(primary.database) == 40 && primary.database.trades(.settled) == 50
            }
            let then = try primary.database.value("select clock_timestamp()")
            let before = try primary.database.watermark()
            let pushedAt = try await primary.database.expecting("balance acc-1 BTC")

            // And: what comes after the moment, and then the loss of the server.
            try await trade(venue, 5)
            try await push(Self.sender.trades[40...], to: intake)
            try await eventually("all is settled") { try primary.database.trades(.settled) == 75 }
            try await primary.closeArchive()
            #expect(await worker.stop().exitCode == 0)
            try primary.fail()

            // When
            let restored = try primary.restored(upTo: then)
            try await eventually("it takes writes") { try !restored.isInRecovery }
            // Then: it is whole as of then, of each batch all or nothing.
            #expect(try restored.database.trades(.settled) == 50)
            #expect(try restored.database.watermark() <= before)
            #expect(try await restored.database.expecting("balance acc-1 BTC") == pushedAt)
            #expect(try await restored.database.typing("verify").exitCode == 0)

            // When: a worker goes on there.
            worker = try await follow(venue, intake, restored.database)
            // Then: the engine has what the books lack, and they are equal.
            try await eventually("the engine's trades are back") { try restored.database.trades(.settled) == 55 }
            #expect(try await venue.settle("reconcile --without-house", on: restored.database).exitCode == 0)

            // When: the sender sends from a point that is surely early enough, and the last one first.
            try await push(Self.sender.trades[59...], to: intake)
            // Then: until all of it has come, the books say what is missing.
            try await eventually("the gap is seen") {
                try await restored.database.expecting("feed gaps --open -o jsonl").contains(#""first":41,"last":59,"#)
            }
            // When
            try await push(Self.sender.trades[10...], to: intake)
            // Then
            try await eventually("nothing is missing") {
                try settledPushes(restored.database) == 60
                    && restored.database.count("trade_stream_gaps") == 0
            }
            #expect(try await venue.settle("reconcile --without-house", on: restored.database).exitCode == 0)
            #expect(await worker.stop().exitCode == 0)
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try restored.database.violations() == [])
        }

        @Test func `a worker goes over to the standby by itself, and what that one never got is asked for again`()
            async throws
        {
            // Given: a standby that keeps up, and a worker that knows both.
            let primary = try ArchivingServer.primary()
            let (venue, intake) = (try await TradingVenue(), Endpoint())
            try primary.database.addMarket()
            let standby = try primary.standby()
            #expect(try standby.isInRecovery)
            let either = TestDatabase(
                name: primary.database.name, connectionString: primary.connectionString(or: standby))
            let worker = try await follow(venue, intake, either)
            try await venue.carryOut(TradingVenue.listings)
            try await open(venue, primary, worker)
            try await trade(venue, 5)
            try await push(Self.sender.trades[..<20], to: intake)
            try await eventually("the standby has it") { try standby.database.trades(.settled) == 25 }

            for line in ["balance acc-1", "statement acc-1 BTC", "explain pushed-1", "export trades", "doctor"] {
                let result = try await standby.database.typing(line)
                #expect(result.exitCode != 69 && !result.output.isEmpty, "\(line): \(result.errors)")
            }

            // And: it falls behind, as one that is not waited for may, when the primary is lost.
            try standby.database.execute("alter system set primary_conninfo = ''")
            try standby.database.execute("select pg_reload_conf()")
            try await eventually("it follows no more") {
                try primary.database.count("pg_stat_replication") == 0
            }
            try await trade(venue, 5)
            try await push(Self.sender.trades[20..<30], to: intake)
            try await eventually("all is settled") { try primary.database.trades(.settled) == 40 }
            try primary.fail()

            // When
            try standby.promote()
            // Then: the same worker goes on there, and the engine's trades come back.
            try await eventually("the engine's trades are back") {
                try standby.database.trades(.settled) == 30
            }
            #expect(try await venue.settle("reconcile --without-house", on: either).exitCode == 0)
            #expect(try settledPushes(standby.database) == 20)

            // When
            try await trade(venue, 5)
            try await push(Self.sender.trades[30...], to: intake)
            // Then: what only the primary had of the sender is missing, by its numbers.
            try await eventually("the gap is seen") {
                try await either.expecting("feed gaps --open -o jsonl").contains(#""first":21,"last":30,"#)
            }
            // When
            try await push(Self.sender.trades[20..<30], to: intake)
            // Then
            try await eventually("nothing is missing") {
                try standby.database.trades(.settled) == 75 && standby.database.count("trade_stream_gaps") == 0
            }
            #expect(try await venue.settle("reconcile --without-house", on: either).exitCode == 0)
            #expect(await worker.stop().exitCode == 0)
            #expect(await venue.engine.stop().exitCode == 0)
            #expect(try standby.database.violations() == [])
        }
    }
}
