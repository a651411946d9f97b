import CommandKit

/// Writes the documents that the program itself knows best; `make docs` runs it.
struct GenerateDocs: Command {
    static let info = CommandInfo(
        "generate-docs", summary: "Write the documents that are made from the program itself.",
        examples: [Example("settle generate-docs .", "In a checkout.")], isHidden: true)

    @Argument("FOLDER", help: "The checkout.") var folder: String

    /// The documents, by their place in the checkout.
    static let pages = [
        "config/settle.yaml": ConfigurationSample.text,
        "docs/command-line.md": Settle.tree.page,
        "docs/configuration.md": ConfigurationPage.text,
    ]

    func run(_ context: Context) async throws {
        for (name, text) in Self.pages.sorted(by: { $0.key < $1.key }) {
            let path = "\(folder)/\(name)"
            let file = try ExportFile(path, overwrites: true, context.output)
            try file.write(text)
            try file.finish()
            context.output.note("wrote \(path)")
        }
    }
}
