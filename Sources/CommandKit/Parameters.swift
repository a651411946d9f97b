/// A positional argument: `@Argument("ACCOUNT", help: "…") var account: String?`.
///
/// Required if the property is neither optional nor an array nor has a default. An array takes all that is left.
@propertyWrapper
public struct Argument<Value: Sendable>: Sendable, SlotHolder {
    let slot: ValueSlot<Value>
    var anySlot: any Slot { slot }

    public var wrappedValue: Value { slot.value }
    public var projectedValue: ValueSource { slot.source }
}

extension Argument {
    public init(_ name: String? = nil, help: String, default initial: Value? = nil) where Value: ArgumentValue {
        var declaration = Declaration(.argument, Value.self, name: name, help: help)
        declaration.defaultText = initial?.argumentText
        declaration.isRequired = initial == nil
        slot = ValueSlot(declaration, initial: initial) { $1 = try Value(argument: $0) }
    }

    public init<Wrapped: ArgumentValue>(_ name: String? = nil, help: String) where Value == Wrapped? {
        slot = ValueSlot(Declaration(.argument, Wrapped.self, name: name, help: help), initial: .some(nil)) {
            $1 = .some(try Wrapped(argument: $0))
        }
    }

    public init<Element: ArgumentValue>(_ name: String? = nil, help: String, required: Bool = false)
    where Value == [Element] {
        var declaration = Declaration(.argument, Element.self, name: name, help: help)
        declaration.isRequired = required
        declaration.isRepeating = true
        slot = ValueSlot(declaration, initial: []) { $1 = try ($1 ?? []) + [Element(argument: $0)] }
    }
}

/// An option with a value: `@Option("--limit", "N", help: "…", default: 50) var limit: Int`.
///
/// The spellings that begin with a dash are its names, the one that does not is what help calls the value.
/// `environment` names a variable that stands in where the option is not given. An array may be given repeatedly
/// (its variable separates by commas); a property that is not optional and has no default is required.
@propertyWrapper
public struct Option<Value: Sendable>: Sendable, SlotHolder {
    let slot: ValueSlot<Value>
    var anySlot: any Slot { slot }

    public var wrappedValue: Value { slot.value }
    public var projectedValue: ValueSource { slot.source }
}

extension Option {
    public init(_ spelling: String..., help: String, environment: String? = nil, default initial: Value? = nil)
    where Value: ArgumentValue {
        var declaration = Declaration(option: spelling, Value.self, help: help, environment: environment)
        declaration.defaultText = initial?.argumentText
        declaration.isRequired = initial == nil
        slot = ValueSlot(declaration, initial: initial) { $1 = try Value(argument: $0) }
    }

    public init<Wrapped: ArgumentValue>(_ spelling: String..., help: String, environment: String? = nil)
    where Value == Wrapped? {
        let declaration = Declaration(option: spelling, Wrapped.self, help: help, environment: environment)
        slot = ValueSlot(declaration, initial: .some(nil)) { $1 = .some(try Wrapped(argument: $0)) }
    }

    /// An option that is required unless a flag is given.
    public init<Wrapped: ArgumentValue>(_ spelling: String..., help: String, requiredUnless flag: String)
    where Value == Wrapped? {
        var declaration = Declaration(option: spelling, Wrapped.self, help: help, environment: nil)
        declaration.isRequired = true
        declaration.waivingFlag = flag
        slot = ValueSlot(declaration, initial: .some(nil)) { $1 = .some(try Wrapped(argument: $0)) }
    }

    public init<Element: ArgumentValue>(_ spelling: String..., help: String, environment: String? = nil)
    where Value == [Element] {
        var declaration = Declaration(option: spelling, Element.self, help: help, environment: environment)
        declaration.isRepeating = true
        slot = ValueSlot(declaration, initial: []) { $1 = try ($1 ?? []) + [Element(argument: $0)] }
    }
}

/// An option without a value: `@Flag("--yes", "-y", help: "…") var yes: Bool`.
@propertyWrapper
public struct Flag: Sendable, SlotHolder {
    let slot: ValueSlot<Bool>
    var anySlot: any Slot { slot }

    public var wrappedValue: Bool { slot.value }
    public var projectedValue: ValueSource { slot.source }

    public init(_ names: String..., help: String, environment: String? = nil) {
        let declaration = Declaration(kind: .flag, names: names, help: help, environment: environment)
        slot = ValueSlot(declaration, initial: false) { text, value in
            switch text.lowercased() {
            case "1", "true", "yes", "on": value = true
            case "0", "false", "no", "off": value = false
            default: throw InvalidValue("expected true or false")
            }
        }
    }
}

/// Includes a group of parameters under a heading of its own: `@OptionGroup("Filters") var filter: LetterFilter`.
@propertyWrapper
public struct OptionGroup<Group: ParameterGroup>: Sendable, GroupHolder {
    let title: String
    public let wrappedValue: Group
    var anyGroup: any ParameterGroup { wrappedValue }

    public init(_ title: String) {
        self.title = title
        self.wrappedValue = Group()
    }
}

extension Declaration {
    fileprivate init<Value: ArgumentValue>(_ kind: Kind, _ type: Value.Type, name: String?, help: String) {
        self.init(kind: kind, help: help)
        allowedValues = Value.allowedValues
        valueName = name ?? (allowedValues.isEmpty ? Value.valueName : allowedValues.joined(separator: "|"))
    }

    fileprivate init<Value: ArgumentValue>(
        option spelling: [String], _ type: Value.Type, help: String, environment: String?
    ) {
        self.init(.option, type, name: spelling.first { !$0.hasPrefix("-") }, help: help)
        names = spelling.filter { $0.hasPrefix("-") }
        self.environment = environment
    }
}
