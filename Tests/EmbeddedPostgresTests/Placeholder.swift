import Testing
@testable import EmbeddedPostgres
