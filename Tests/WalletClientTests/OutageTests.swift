import Testing

@testable import WalletClient

@Suite struct OutageTests {
    /// An outage of which each step can be expected.
    private final class Course {
        private var outage = Outage()
        private let start = ContinuousClock.now

        func fails(_ fault: DatabaseFault, at second: Int) -> String? {
            outage.failed(fault, at: start + .seconds(second))
        }

        func ends(hasWritten: Bool) -> Bool { outage.ended(hasWritten: hasWritten) }
    }

    private let away = DatabaseFault(message: "cannot reach PostgreSQL")
    private let full = DatabaseFault(sqlState: "53100", message: "could not extend file: No space left on device")

    @Test func `an outage is said once, and again each minute that it lasts`() {
        let course = Course()
        #expect(course.fails(away, at: 0) == "database is away")
        for second in [0, 1, 59] { #expect(course.fails(away, at: second) == nil) }
        #expect(course.fails(away, at: 60) == "database is away")
        #expect(course.fails(away, at: 61) == nil)
        #expect(course.ends(hasWritten: false))
        #expect(!course.ends(hasWritten: true))
        #expect(course.fails(away, at: 62) == "database is away")
    }

    @Test(arguments: [
        DatabaseFault(sqlState: "53100", message: "disk full"), DatabaseFault(sqlState: "25006", message: "read-only"),
        DatabaseFault(message: "cannot reach PostgreSQL (could not write lock file: No space left on device)"),
    ])
    func `a server that is there and cannot write is called so`(fault: DatabaseFault) {
        let course = Course()
        #expect(course.fails(away, at: 0) == "database is away")
        #expect(course.fails(fault, at: 0) == "the database takes no writes")
        #expect(course.fails(fault, at: 0) == nil)
    }

    @Test func `a server that cannot write is not back because it answers`() {
        let course = Course()
        #expect(course.fails(full, at: 0) == "the database takes no writes")
        #expect(!course.ends(hasWritten: false))
        #expect(course.fails(full, at: 1) == nil)
        #expect(course.ends(hasWritten: true))
    }
}
