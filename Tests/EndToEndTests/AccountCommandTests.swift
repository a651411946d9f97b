import SettleTesting
import Testing

/// `settle account`.
@Suite struct AccountCommandTests {
    private static func closer(_ status: String) -> String {
        "settle: account alice is \(status); 'settle account show alice' says since when and why\n"
    }

    private static let nobody = "settle: there is no account nobody; 'settle account list' shows those there are\n"

    @Test func `accounts are listed page by page, in the order in which they were opened`() async throws {
        let database = try TestDatabase()
        let none = try await database.typing("account list")
        #expect(none.output == "" && none.errors == "No accounts yet. A first deposit opens one.\n")
        #expect(try await database.expecting("account list --json") == "[]\n")
        try await database.fund()
        try await database.expecting("deposit carol 1 BTC --id fund-carol")
        try await database.expecting("account freeze bob --reason review")
        let first = try await database.typing("account list --limit 2 -o jsonl")
        #expect(
            first.output.withoutTimes == """
                {"account":"alice","status":"active","status_at":"TIME","opened_at":"TIME"}
                {"account":"bob","status":"frozen","status_at":"TIME","opened_at":"TIME"}

                """)
        #expect(first.errors == "more: --after bob\n")
        let rest = try await database.typing("account list --limit 2 --after bob")
        #expect(
            rest.output.withoutTimes == "ACCOUNT  STATUS  SINCE                 OPENED\n"
                + "carol    active  TIME  TIME\n")
        #expect(rest.errors == "")
        #expect(try await database.expecting("account list --status frozen").contains("bob"))
        #expect(try await database.expecting("account list --status active -o jsonl").split(separator: "\n").count == 2)
        #expect(try await database.typing("account list --status closed").errors == "No such accounts.\n")
        let unknown = try await database.typing("account list --after nobody")
        #expect(unknown.exitCode == 5 && unknown.errors == Self.nobody)
        for bad in ["--status asleep", "--limit 0", "--bogus", "extra"] {
            #expect(try await database.typing("account list \(bad)").exitCode == 64, "\(bad)")
        }
        #expect(try database.violations() == [])
    }

    @Test func `an account is shown with its money, its credit, what waits and what operators did`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        try await database.expecting("account credit alice 50.5 USDT --reason maker")
        try await database.expecting("trade submit -", input: tradeLine("t1"))
        try await database.expecting("account freeze alice --reason review")
        let user = try database.value("select min(actor) from operator_actions")
        #expect(
            try await database.expecting("account show alice").withoutTimes.replacing(#/for \d+s/#, with: "for AGE")
                == """
                account  alice, frozen since TIME, opened TIME
                waiting  1 trade, the oldest for AGE
                letters  0 open dead letters

                ASSET    AVAILABLE    FROZEN  CREDIT LINE
                USDT   1000.000000  0.000000    50.500000

                history
                  TIME  credit line set to 50.500000 USDT, before 0.000000 USDT, by \(user): maker
                  TIME  frozen by \(user): review

                """)
        #expect(
            try await database.expecting("account show alice -o jsonl").withoutTimes == """
                {"account":"alice","status":"frozen","status_at":"TIME","opened_at":"TIME","pending":1,\
                "pending_has_more":false,"oldest_pending_at":"TIME","open_letters":0,"open_letters_has_more":false,\
                "balances":[{"asset":"USDT","available":"1000.000000","frozen":"0.000000","credit_line":"50.500000"}],\
                "history":[{"at":"TIME","actor":"\(user)","action":"credit","reason":"maker",\
                "detail":{"amount":"50.500000","asset":"USDT","from":"0.000000"}},\
                {"at":"TIME","actor":"\(user)","action":"freeze","reason":"review","detail":{"from":"active"}}]}

                """)
        try await database.expecting("account unfreeze alice --reason reviewed")
        #expect(
            try await database.expecting("account show alice").withoutTimes.hasSuffix(
                "frozen by \(user): review\n  TIME  unfrozen by \(user): reviewed\n"))
        #expect(try await database.expecting("account show bob").contains("BTC"))
        let unknown = try await database.typing("account show nobody")
        #expect(unknown.exitCode == 5 && unknown.errors == Self.nobody)
        for (line, name) in [("account show house", "house"), ("account show house/0", "house/0")] {
            let house = try await database.typing(line)
            #expect(house.exitCode == 5)
            #expect(
                house.errors == "settle: '\(name)' is no customer's account but the exchange itself; "
                    + "'settle balance house' shows what it has\n")
        }
        #expect(try await database.typing("account show").exitCode == 64)
        #expect(try database.violations() == [])
    }

    @Test func `freezing, closing and opening again say what they did, and what they will not do`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        #expect(
            try await database.expecting("account freeze alice --reason review --dry-run")
                == "account alice would be frozen\n")
        #expect(try await database.expecting("account freeze alice --reason review") == "account alice is frozen\n")
        #expect(
            try await database.expecting("account freeze alice --reason review -o jsonl")
                == "{\"account\":\"alice\",\"status\":\"frozen\",\"changed\":false}\n")
        let withdrawal = try await database.typing("withdraw alice 1 USDT --id w1")
        #expect(withdrawal.exitCode == 1 && withdrawal.errors == Self.closer("frozen"))
        #expect(try await database.expecting("account unfreeze alice --reason ok") == "account alice is active\n")

        let unasked = try await database.typing("account close alice --reason left")
        #expect(unasked.exitCode == 64 && unasked.errors.contains("give --yes to go on"), "\(unasked.errors)")
        let refused = try await database.typing("account close alice --reason left --yes")
        #expect(refused.exitCode == 1)
        #expect(
            refused.errors
                == "settle: account alice cannot be closed: it has 1000.000000 USDT available. Settle, release or "
                + "withdraw that first.\n")
        try await database.expecting("trade submit -", input: tradeLine("t1"))
        try await database.expecting("withdraw alice 1000 USDT --id w2")
        #expect(
            try await database.typing("account close alice --reason left --yes").errors
                == "settle: account alice cannot be closed: trades of it wait to be settled. "
                + "'settle account show alice' counts them.\n")
        #expect(try await database.typing("worker --once").exitCode == 0)
        #expect(
            try await database.expecting("account close alice --reason left --dry-run")
                == "account alice would be closed\n")
        #expect(
            try await database.expecting("account close alice --reason left --yes") == "account alice is closed\n")
        let deposit = try await database.typing("deposit alice 1 USDT --id d9")
        #expect(deposit.exitCode == 1 && deposit.errors == Self.closer("closed"))
        #expect(
            try await database.typing("account freeze alice --reason x").errors
                == "settle: account alice is closed; 'settle account show alice' says since when and why, "
                + "'settle account unfreeze' opens it again\n")
        // What is parked because of it can be settled when it is open again.
        try await database.expecting("trade submit -", input: tradeLine("t2", buyer: "bob", seller: "alice"))
        #expect(try await database.typing("worker --once").exitCode == 0)
        #expect(
            try database.value("select message from dead_letters where trade_id = 't2'")
                == "account alice (the seller) is closed")
        #expect(try await database.expecting("account unfreeze alice --reason back") == "account alice is active\n")
        #expect(try await database.typing("account freeze nobody --reason x").exitCode == 5)
        for bad in ["account freeze alice", "account freeze --reason x", "account close", "account thaw alice"] {
            #expect(try await database.typing(bad).exitCode == 64, "\(bad)")
        }
        #expect(
            try database.value(
                "select string_agg(action || ' ' || reason, ', ' order by action_no) from operator_actions")
                == "freeze review, unfreeze ok, close left, unfreeze back")
        #expect(try database.violations() == [])
    }

    @Test func `a credit line is given, used, and not taken back below what is used`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        #expect(
            try await database.expecting("account credit alice 500 USDT --reason maker --dry-run")
                == "account alice would have a credit line of 500.000000 USDT, before 0.000000 USDT\n")
        #expect(
            try await database.expecting("account credit alice 500 USDT --reason maker")
                == "account alice has a credit line of 500.000000 USDT, before 0.000000 USDT\n")
        #expect(
            try await database.expecting("account credit alice 500 USDT --reason maker -o jsonl") == """
                {"account":"alice","asset":"USDT","credit_line":"500.000000","before":"500.000000","changed":false}

                """)
        try await database.expecting("withdraw alice 1400 USDT --id w1")
        let refused = try await database.typing("account credit alice 399 USDT --reason less")
        #expect(refused.exitCode == 1)
        #expect(
            refused.errors
                == "settle: account alice stands at -400.000000 USDT: its credit line of 500.000000 USDT cannot be "
                + "less than what is used of it\n")
        #expect(
            try await database.typing("withdraw alice 101 USDT --id w2").errors
                == "settle: account alice has -400.000000 USDT available and a credit line of 500.000000 USDT, needs "
                + "101.000000 USDT: 1.000000 USDT missing. 'settle balance alice' shows what there is\n")
        #expect(
            try await database.expecting("balance alice") == """
                ASSET    AVAILABLE    FROZEN  CREDIT LINE
                USDT   -400.000000  0.000000   500.000000

                """)
        #expect(try await database.expecting("balance alice -o jsonl").contains(#""credit_line":"500.000000"}"#))
        let frozen = try await database.typing("account freeze alice --reason review")
        #expect(frozen.errors == "Next: settle account unfreeze alice --reason '…'\n")
        try await database.expecting("account unfreeze alice --reason reviewed")
        try await database.expecting("deposit alice 400 USDT --id d9")
        #expect(
            try await database.expecting("account credit alice 0 USDT --reason ended")
                == "account alice has no credit in USDT, before 500.000000 USDT\n")
        #expect(try await database.typing("account credit alice 5 EUR --reason x").exitCode == 5)
        #expect(try await database.typing("account credit nobody 5 USDT --reason x").exitCode == 5)
        for bad in [
            "alice 0.0000001 USDT --reason x", "alice much USDT --reason x", "alice 5 USDT", "alice --reason x",
        ] {
            #expect(try await database.typing("account credit \(bad)").exitCode == 64, "\(bad)")
        }
        #expect(try await database.typing("verify").exitCode == 0)
        #expect(try database.violations() == [])
    }
}
