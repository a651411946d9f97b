import CommandKit
import Glibc

/// The program: its commands, and how the errors of its parts read to a person.
@main
enum Settle {
    /// What this program is called among its likes: the version, and where it is known the commit.
    static let version = "0.1.0" + (builtFromCommit.map { " (\($0))" } ?? "")

    static let tree = CommandTree<Global>(
        "settle", version: version,
        summary: "Settles trades exactly once: balances, fees and a double-entry ledger in one transaction.",
        discussion: """
            New here? 'settle up' shows everything at work on this machine. Something wrong? 'settle doctor' says what, \
            and what mends it.
            """
    ) {
        Section("Run") {
            Up.self
            RunWorker.self
            Group<Global>("queue", summary: "Pause the settling of trades, and let it go on.") {
                ShowQueue.self
                PauseQueue.self
                DrainQueue.self
                ResumeQueue.self
            }
            Extended<Global>(RunBench.self) {
                BenchEngine.self
            }
            Doctor.self
        }
        Section("The engine") {
            Extended<Global>(RunEngine.self) {
                ShowEngine.self
                PromoteEngine.self
                ForgetConsumer.self
            }
            Group<Global>("order", summary: "Give an engine orders, change and cancel them.") {
                PlaceOrder.self
                AmendOrder.self
                CancelOrder.self
                ShowOrder.self
                ListOrders.self
            }
            ShowBook.self
            Group<Global>("feed", summary: "Look at the output of engines, and at how far it is settled.") {
                ShowFeed.self
                TailFeed.self
                ListGaps.self
                ResumeFeed.self
                SkipGap.self
            }
        }
        Section("Set up") {
            Group<Global>("migrate", summary: "Bring the database to the version of this program.") {
                MigrateUp.self
                MigrateDown.self
                MigrateStatus.self
                MigrateSQL.self
                MigrateGrants.self
                MigrateIndexes.self
            }
            Group<Global>("config", summary: "Check and show the configuration.") {
                CheckConfiguration.self
                ShowConfiguration.self
            }
            Group<Global>("asset", summary: "Add and list assets: what can be owned.") {
                AddAsset.self
                ListAssets.self
            }
            Group<Global>("market", summary: "Add, list and halt markets: what is traded against what.") {
                AddMarket.self
                ListMarkets.self
                WatchMarket.self
                HaltMarket.self
                ResumeMarket.self
            }
        }
        Section("Accounts and money") {
            Group<Global>("account", summary: "Look at customers' accounts, freeze and close them, give them credit.") {
                ListAccounts.self
                ShowAccount.self
                FreezeAccount.self
                UnfreezeAccount.self
                CloseAccount.self
                GiveCredit.self
            }
            Deposit.self
            Withdraw.self
            ShowBalance.self
            ShowStatement.self
        }
        Section("Trades") {
            Group<Global>("trade", summary: "Store trades to be settled, and look at them.") {
                SubmitTrades.self
                ShowTrade.self
                ListTrades.self
                ReverseTrade.self
            }
            ExplainTrade.self
            Group<Global>("dlq", summary: "Look after dead letters: trades that could not be settled.") {
                ListLetters.self
                ShowLetter.self
                CountLetters.self
                RetryLetters.self
                EditLetter.self
                DiscardLetters.self
                PurgeLetters.self
            }
        }
        Section("The books") {
            Verify.self
            Group<Global>("audit", summary: "Seal the books, and check what was exported for an auditor.") {
                SealBooks.self
                CheckBundle.self
            }
            Reconcile.self
            RebuildBooks.self
            Group<Global>("export", summary: "Write what was committed to a file or a pipe.") {
                ExportTrades.self
                ExportLedger.self
                ExportAudit.self
            }
        }
        GenerateDocs.self
    }

    static func main() async {
        exit(await tree.main(explain: explain).rawValue)
    }
}
