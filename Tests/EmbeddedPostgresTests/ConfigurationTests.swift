import Foundation
import Glibc
import Testing

@testable import EmbeddedPostgres

@Suite struct ConfigurationTests {
    @Test(arguments: ["DATABASE_URL", "PGHOST", "PGSERVICE", "PGDATABASE", "PGPORT"])
    func `any variable that names a database is respected`(name: String) {
        #expect(!EmbeddedCluster.isWanted(environment: ["HOME": "/root", name: "x"]))
        #expect(EmbeddedCluster.isWanted(environment: [name: ""]))
    }

    @Test func `without any the embedded cluster is wanted`() {
        #expect(EmbeddedCluster.isWanted(environment: ["HOME": "/root", "PGUSER": "someone"]))
    }

    @Test func `values are quoted as libpq wants them`() {
        #expect(EmbeddedCluster.quoted(#"/a b/it's\"#) == #"'/a b/it\'s\\'"#)
    }

    @Test func `a directory that others may enter is refused`() throws {
        let directory = try TestDirectory()
        #expect(throws: EmbeddedPostgresError.notPrivate(path: directory.path)) {
            try ClusterHome.makePrivate(directory.path, mode: 0o700, user: geteuid(), group: getegid())
        }
    }

    @Test func `a link in place of a private directory is refused`() throws {
        let directory = try TestDirectory()
        let link = "\(directory.path)/link"
        #expect(symlink("/tmp", link) == 0)
        #expect(throws: EmbeddedPostgresError.notPrivate(path: link)) {
            try ClusterHome.makePrivate(link, mode: 0o700, user: geteuid(), group: getegid())
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs a second user"))
    func `a directory of another user is refused`() throws {
        let directory = try TestDirectory()
        chmod(directory.path, 0o700)
        chown(directory.path, 12_345, 12_345)
        #expect(throws: EmbeddedPostgresError.notPrivate(path: directory.path)) {
            try ClusterHome.makePrivate(directory.path, mode: 0o700, user: 54_321, group: 54_321)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root's data lie elsewhere"))
    func `root's data stay with a directory that moves`() throws {
        let directory = try TestDirectory()
        let parent = "\(directory.path)/var"
        let before = try ClusterHome.resolve("\(directory.path)/one/.settle", rootParent: parent)
        try FileManager.default.moveItem(atPath: "\(directory.path)/one", toPath: "\(directory.path)/two")
        let after = try ClusterHome.resolve("\(directory.path)/two/.settle", rootParent: parent)
        #expect(before.path == after.path)
        #expect(before.path.hasPrefix("\(parent)/one-"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root's data lie elsewhere"))
    func `no empty database takes the place of one that is gone`() throws {
        let directory = try TestDirectory()
        let (owned, parent) = ("\(directory.path)/.settle", "\(directory.path)/var")
        let home = try ClusterHome.resolve(owned, rootParent: parent)
        try ClusterHome.checkThere(owned, rootParent: parent)
        try FileManager.default.removeItem(atPath: home.path)
        let lost = EmbeddedPostgresError.lost(path: home.path, note: "\(owned)/postgres.location")
        #expect(throws: lost) { try ClusterHome.checkThere(owned, rootParent: parent) }
        #expect(throws: lost) { try ClusterHome.resolve(owned, rootParent: parent) }
        #expect(!FileManager.default.fileExists(atPath: home.path))
        try FileManager.default.removeItem(atPath: "\(owned)/postgres.location")
        #expect(try ClusterHome.resolve(owned, rootParent: parent).path == home.path)
    }
}
