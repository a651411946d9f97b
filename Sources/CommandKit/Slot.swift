import Synchronization

/// Where a parameter's value came from; the projected value of each wrapper (`$limit == .default`).
public enum ValueSource: Sendable, Equatable {
    case commandLine
    case environment(String)
    /// Supplied by the tree's global options, such as from a file; with the place, as messages name it.
    case supplied(String)
    case `default`
}

/// A value that stands in for a variable which the environment does not set, and where it was found.
public struct SuppliedValue: Sendable, Equatable {
    public var text: String
    /// As messages name it: `settle.yaml:12`.
    public var place: String

    public init(_ text: String, place: String) {
        self.text = text
        self.place = place
    }
}

/// What is known of a parameter before anything is parsed: parser, help and completion all read this.
struct Declaration: Sendable {
    enum Kind { case argument, option, flag }

    var kind: Kind
    /// `--limit`, `-n`; empty for a positional argument.
    var names: [String] = []
    var valueName = ""
    var help: String
    var environment: String?
    var defaultText: String?
    var allowedValues: [String] = []
    var isRequired = false
    /// The flag that lets it be left out though it is required.
    var waivingFlag: String?
    var isRepeating = false

    /// How messages call it: `--limit`, or `ACCOUNT`. The long name if there is one.
    var name: String { names.first { $0.hasPrefix("--") } ?? names.first ?? valueName }
}

/// A parameter of which a parser need not know the type.
protocol Slot: AnyObject, Sendable {
    var declaration: Declaration { get }
    var source: ValueSource { get }
    func take(_ text: String, from source: ValueSource) throws
}

/// Holds one parameter's value: written by the parser, read by the command.
///
/// A reference, so that what reflection finds in a command is what the command will read.
final class ValueSlot<Value: Sendable>: Slot {
    let declaration: Declaration
    private let state: Mutex<(value: Value?, source: ValueSource)>
    private let absorb: @Sendable (String, inout Value?) throws -> Void

    init(
        _ declaration: Declaration, initial: Value? = nil,
        absorb: @escaping @Sendable (String, inout Value?) throws -> Void
    ) {
        self.declaration = declaration
        self.state = Mutex((initial, .default))
        self.absorb = absorb
    }

    var source: ValueSource { state.withLock(\.source) }

    var value: Value {
        guard let value = state.withLock(\.value) else {
            preconditionFailure("\(declaration.name) was read before the command line was parsed")
        }
        return value
    }

    func take(_ text: String, from source: ValueSource) throws {
        try state.withLock { state in
            try absorb(text, &state.value)
            state.source = source
        }
    }
}

/// The parameters that a command or a group declares, in order, found by reflection.
struct Declarations {
    var entries: [(section: String?, slot: any Slot)] = []
    var validations: [() throws -> Void] = []

    var slots: [any Slot] { entries.map(\.slot) }

    init(of declaring: Any, section: String? = nil) {
        for child in Mirror(reflecting: declaring).children {
            if let wrapper = child.value as? any SlotHolder {
                entries.append((section, wrapper.anySlot))
            } else if let group = child.value as? any GroupHolder {
                self += Declarations(of: group.anyGroup, section: section ?? group.title)
                validations.append(group.anyGroup.validate)
            }
        }
    }

    /// Whether an option was given, here or in the environment.
    func isGiven(_ name: String) -> Bool {
        slots.contains { $0.declaration.names.contains(name) && $0.source != .default }
    }

    static func += (left: inout Declarations, right: Declarations) {
        left.entries += right.entries
        left.validations += right.validations
    }
}

protocol SlotHolder {
    var anySlot: any Slot { get }
}

protocol GroupHolder {
    var title: String { get }
    var anyGroup: any ParameterGroup { get }
}
