import CommandKit
import ServiceKit

enum LogLevel: String, ArgumentValue, CaseIterable {
    case debug, info, warning, error

    var level: Log.Level { Log.Level(rawValue: rawValue)! }
}
