import CommandKit

/// What every command takes by which an operator changes something by hand: why, and whether it is meant yet.
struct ActionOptions: ParameterGroup {
    @Option("--reason", help: "Why, for the record.", requiredUnless: "--dry-run") var givenReason: Reason?
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    /// Empty only in a dry run, which records nothing.
    var reason: String { givenReason?.text ?? "" }
}
