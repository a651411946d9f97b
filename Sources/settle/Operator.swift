import Glibc

/// Who acts by this command, for the records: the user of the operating system.
let operatorName: String = {
    guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return "uid \(getuid())" }
    return String(cString: name)
}()
