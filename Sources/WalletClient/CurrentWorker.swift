/// Which worker of the pool the current task works for; nil elsewhere. Nothing is decided by it: it lets who looks on
/// see whose connection is whose.
public enum CurrentWorker {
    @TaskLocal public static var number: Int?
}
