import CommandKit
import Foundation

/// Writes the pages of `docs/` that the program itself knows best; `make docs` runs it.
struct GenerateDocs: Command {
    static let info = CommandInfo(
        "generate-docs", summary: "Write the pages that are made from the program itself.",
        examples: [Example("settle generate-docs docs", "Into the folder docs.")], isHidden: true)

    @Argument("FOLDER", help: "Where the pages go.") var folder: String

    /// The pages, by the names of their files.
    static let pages = ["command-line.md": Settle.tree.page]

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
