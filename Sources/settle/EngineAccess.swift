import CommandKit
import EngineHost
import Foundation
import TradeFeed
import TradeModel

/// The engine that a command talks to.
struct EngineAccess {
    private let endpoint: Endpoint
    private let client: EntryClient

    init(_ endpoint: Endpoint) throws {
        self.endpoint = endpoint
        client = try EntryClient(endpoint: endpoint.text)
    }

    /// Has a command carried out; a rejection is a failure that says why.
    func carryOut(_ action: EngineCommand.Action) async throws -> EngineOutput {
        let record = try await record(of: action)
        if let reason = record.rejection { throw refusal(reason) }
        return record
    }

    /// - Parameter origin: who named the engine, where that was not whoever typed the command.
    func refusal(_ reason: RejectReason, origin: String = "") -> CommandFailure {
        CommandFailure("the engine at \(endpoint.text.printable)\(origin) refuses it: \(reason.sentence)")
    }

    /// Has a command carried out, or rejected.
    func record(of action: EngineCommand.Action) async throws -> EngineOutput {
        // The engine puts its own time in.
        let command = EngineCommand(time: Timestamp(microseconds: 0), action).bytes
        do {
            let bytes = try await client.carryOut([command])[0]
            return try bytes.withUnsafeBytes { try EngineOutput(bytes: $0) }
        } catch let failure as EntryFailure { throw Self.failure(failure) }
    }

    func ask(_ query: EngineQuery) async throws -> EngineAnswer {
        try await exchange(query) { try await client.query($0) }
    }

    /// Has an engine that follows another lead in its place.
    func promote(_ request: PromotionRequest) async throws -> PromotionAnswer {
        try await exchange(request) { try await client.promote($0) }
    }

    /// Has an engine keep nothing any longer for a consumer.
    func forget(_ request: ForgetRequest) async throws -> ForgetAnswer {
        try await exchange(request) { try await client.forget($0) }
    }

    private func exchange<Answer: Decodable>(
        _ request: some Encodable, by send: ([UInt8]) async throws -> [UInt8]
    ) async throws -> Answer {
        do {
            let answer = try await send(Array(try JSONEncoder().encode(request)))
            return try JSONDecoder().decode(Answer.self, from: Data(answer))
        } catch let failure as EntryFailure { throw Self.failure(failure) }
    }

    private static func failure(_ failure: EntryFailure) -> CommandFailure {
        switch failure {
        case .silent:
            CommandFailure(
                "\(failure.description.printable). Is it running? 'settle engine --wal DIR' starts one",
                exit: .unavailable)
        case .refused, .unusable: CommandFailure(failure.description.printable)
        }
    }
}

extension RejectReason {
    /// For people.
    var sentence: String {
        switch self {
        case .unknownAsset: "it has no such asset"
        case .unknownMarket: "it has no such market"
        case .unknownAccount: "it has no such account; a first deposit opens it"
        case .unknownOrder: "no such order of the account is open"
        case .alreadyListed: "it is listed already"
        case .invalidMarketRules: "the terms of the market contradict themselves, or are finer than its assets"
        case .invalidAccountName: "no account may be called that"
        case .marketHalted: "the market is halted"
        case .marketNotHalted: "the market is not halted"
        case .insufficientFunds: "the account has too little available"
        case .duplicateClientOrderID: "the account has placed an order under this id before"
        case .duplicateOperation: "it was done before, under this id"
        case .operationConflict: "the id was used before, for something else"
        case .invalidAmount: "the amount is not positive, or has more decimals than its asset"
        case .invalidOrder: "what is asked contradicts itself"
        case .priceOffTick: "the price is no multiple of the market's tick"
        case .priceOutOfRange: "the price is outside of what the market allows"
        case .quantityOffLot: "the quantity is no multiple of the market's lot"
        case .quantityTooSmall: "the quantity is below the market's smallest"
        case .quantityTooLarge: "the quantity is above the market's largest"
        case .amountOverflow: "the amounts would have more than 38 digits"
        case .postOnlyWouldTake: "it would trade at once, and must not"
        case .notFillable: "not all of it can be filled at once"
        case .nothingToAmend: "nothing would change"
        case .quantityAlreadyFilled: "more than that is filled already"
        case .limitReached: "the engine cannot hold more of these"
        case .houseInDebt: "the house can give no more rebates"
        }
    }
}
