import Foundation
import PackagePlugin

/// Gives a program the constant `builtFromCommit`, which names the commit that it was built from.
///
/// A command of the build rather than of its planning: it runs again when a source or the head of the repository has
/// changed, so that what the program says of itself never grows old.
@main
struct NoteCommit: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let package = context.package.directoryURL
        let script = package.appending(path: "scripts/note-commit")
        let output = context.pluginWorkDirectoryURL.appending(path: "BuiltFromCommit.swift")
        let sources = ([target] + target.recursiveTargetDependencies)
            .compactMap { $0 as? any SourceModuleTarget }
            .flatMap { $0.sourceFiles.map(\.url) }
        return [
            .buildCommand(
                displayName: "Noting the commit", executable: URL(fileURLWithPath: "/bin/sh"),
                arguments: [script.path, output.path],
                inputFiles: sources + [script, package.appending(path: "Package.swift")] + headLog(of: package),
                outputFiles: [output])
        ]
    }

    /// The file that grows whenever the head moves; none outside a repository. A worktree has its own elsewhere.
    private func headLog(of package: URL) -> [URL] {
        var folder = package.appending(path: ".git")
        if let link = try? String(contentsOf: folder, encoding: .utf8), link.hasPrefix("gitdir: ") {
            let path = link.dropFirst("gitdir: ".count).trimmingCharacters(in: .whitespacesAndNewlines)
            folder = URL(fileURLWithPath: path, relativeTo: package)
        }
        return [folder.appending(path: "logs/HEAD")].filter { FileManager.default.fileExists(atPath: $0.path) }
    }
}
