import CommandKit
import Foundation

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
            do {
                try text.write(toFile: path, atomically: true, encoding: .utf8)
            } catch {
                throw CommandFailure("cannot write \(path.printable): \(error.localizedDescription)")
            }
            context.output.note("wrote \(path)")
        }
    }
}
