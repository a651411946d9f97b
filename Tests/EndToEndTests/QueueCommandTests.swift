import Repository
import SettleTesting
import Testing

/// `settle queue` where no worker runs: what it says, what it records, what it refuses.
@Suite struct QueueCommandTests {
    @Test func `a database without workers is shown in text and JSON`() async throws {
        let database = try TestDatabase()
        let status = try await database.typing("queue status")
        #expect(status.exitCode == 0)
        #expect(status.output == "queue    running\nwaiting  0 trades\nletters  0 open dead letters\n")
        #expect(status.errors == "No worker is running. Start one with 'settle worker'.\n")
        #expect(
            try await database.expecting("queue status -o jsonl") == """
                {"state":"running","since":null,"actor":null,"reason":null,"sealed":false,"pending":0,"pending_has_more":false,\
                "oldest_pending_at":null,"open_letters":0,"open_letters_has_more":false,"workers":[],"halted_markets":[]}

                """)
    }

    @Test func `a pause and a resume are recorded once each, with who and why`() async throws {
        let database = try TestDatabase()
        #expect(
            try await database.expecting("queue pause --reason maintenance")
                == "the queue is paused: 0 workers, 0 trades in memory, 0 trades PENDING\n")
        let again = try await database.expecting("queue pause --reason again").withoutTimes
        let user = try database.value("select actor from queue_control")
        #expect(
            again == "the queue is paused already (since TIME by \(user): maintenance): 0 workers, "
                + "0 trades in memory, 0 trades PENDING\n")
        #expect(
            try await database.expecting("queue status").withoutTimes
                == "queue    paused since TIME by \(user): maintenance\ndrained  no worker holds anything\n"
                + "waiting  0 trades\nletters  0 open dead letters\n"
        )
        #expect(try await database.expecting("queue drain --timeout 1s -o jsonl").hasSuffix(",\"changed\":false}\n"))
        #expect(
            try await database.expecting("queue drain").withoutTimes
                == "the queue is drained (paused already since TIME by \(user): maintenance): 0 workers, "
                + "0 trades in memory, 0 trades PENDING\n")
        #expect(
            try await database.expecting("queue status").contains(
                "\ndrained  no worker holds anything; sealed: the database lets no trade settle\n"))
        let repeated = try await database.typing("queue pause")
        #expect(repeated.errors == "Next: settle queue resume\n")
        #expect(try await database.typing("queue pause --json").errors == "")
        #expect(
            try await database.expecting("queue resume --reason done")
                == "the queue goes on: 0 workers, 0 trades PENDING\n")
        #expect(
            try await database.expecting("queue resume") == "the queue is not paused: 0 workers, 0 trades PENDING\n")
        #expect(
            try await database.expecting("queue drain --reason upgrade").hasPrefix("the queue is drained: 0 workers"))
        #expect(try await database.expecting("queue resume --json").contains("\"changed\": true"))
        #expect(
            try database.value(
                "select string_agg(action || ' ' || subject || ' ' || reason, ', ' order by action_no) from operator_actions"
            ) == "pause queue maintenance, resume queue done, drain queue upgrade, resume queue ")
        #expect(try database.count("operator_actions where actor = '\(user)' and actor <> ''") == 4)
    }

    @Test func `what operators have stopped is told with the command that lets it go on`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await database.expecting("queue pause --reason maintenance")
        try await database.expecting("market halt BTC/USDT --reason prices")
        let user = try database.value("select actor from queue_control")
        let status = try await database.typing("queue status")
        #expect(
            status.errors.withoutTimes == """
                No worker is running. Start one with 'settle worker'.
                Next: settle queue resume
                market BTC/USDT is halted since TIME by \(user): prices. Next: settle market resume BTC/USDT --reason '…'

                """)
        #expect(
            try await database.expecting("queue status -o jsonl").withoutTimes.hasSuffix(
                #""halted_markets":[{"market":"BTC/USDT","since":"TIME","actor":"\#(user)","reason":"prices"}]}"# + "\n"
            ))
        let list = try await database.typing("market list")
        #expect(
            list.errors.withoutTimes
                == "market BTC/USDT is halted since TIME by \(user): prices. Next: settle market resume BTC/USDT "
                + "--reason '…'\n")
        #expect(
            try await database.expecting("market list -o jsonl").withoutTimes.contains(
                #""halted":true,"halted_since":"TIME","halted_by":"\#(user)","halted_reason":"prices"}"#))
        try await database.expecting("market resume BTC/USDT --reason mended")
        #expect(
            try await database.expecting("market list -o jsonl").contains(
                #""halted":false,"halted_since":null,"halted_by":null,"halted_reason":null}"#))
    }

    @Test func `a dry run changes nothing`() async throws {
        let database = try TestDatabase()
        for line in ["queue pause --dry-run", "queue drain --dry-run"] {
            #expect(
                try await database.expecting(line)
                    == "would pause the queue: 0 workers, 0 trades in memory, 0 trades PENDING\n")
        }
        #expect(try await database.expecting("queue resume --dry-run").hasPrefix("the queue is not paused"))
        #expect(try await database.expecting("queue pause --dry-run --json").contains("\"would_change\": true"))
        try await database.expecting("queue pause")
        #expect(try await database.expecting("queue resume --dry-run").hasPrefix("would resume the queue"))
        #expect(try database.value("select paused from queue_control") == "true")
        #expect(try database.count("operator_actions") == 1)
    }

    @Test(arguments: ["queue", "queue status extra", "queue pause --timeout soon", "queue pause --bogus", "queue halt"])
    func `a bad command line is a usage error`(line: String) async throws {
        let result = try await TestDatabase().typing(line)
        #expect(result.exitCode == 64, "\(result.errors)")
    }

    @Test func `what waits is counted up to a bound, and quickly`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try database.execute(
            """
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id, received_at)
            select 'BTC/USDT', n::text, 1, 1, 'a', 'b', now() - interval '3 hours' from generate_series(1, 20000) n;
            analyze trades
            """)
        #expect(
            try await database.expecting("queue status").hasPrefix(
                "queue    running\nwaiting  10,000+ trades, the oldest for 3h\n"))
        #expect(try await database.expecting("queue status --json").contains("\"pending_has_more\": true"))
    }

    @Test func `what operators did can neither be changed nor removed`() async throws {
        let database = try TestDatabase()
        try await database.expecting("queue pause")
        for sql in [
            "update operator_actions set reason = ''", "delete from operator_actions", "truncate operator_actions",
        ] {
            #expect(throws: DatabaseError.self, "\(sql)") { try database.execute(sql) }
        }
    }
}
