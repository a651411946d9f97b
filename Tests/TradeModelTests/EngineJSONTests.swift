import Foundation
import Testing

@testable import TradeModel

/// What people and scripts see of commands and records.
@Suite struct EngineJSONTests {
    @Test func `a record says all that its bytes do`() throws {
        #expect(
            EngineBytesTests.record.json
                == #"{"sequence":"1043","outcome":"accepted","command":{"time":"2026-01-02T03:04:05.678901Z","#
                + #""type":"place","account_id":"alice","client_order_id":"my-1","market":"BTC/USDT","side":"sell","#
                + #""kind":"limit","time_in_force":"post_only","price":"50000.25","quantity":"0.01"},"#
                + #""market":{"symbol":"BTC/USDT","base_decimals":8,"quote_decimals":6,"price_decimals":2,"#
                + #""fee_rule":"quote"},"events":[{"type":"new","order":"1043"},"#
                + #"{"type":"hold","order":"1043","asset":"BTC","amount":"0.01000000"},"#
                + #"{"type":"trade","trade":"9","price":"50001.00","quantity":"0.00400000","quote":"200.004000","#
                + #""taker":"seller","buyer_id":"bob","seller_id":"alice","buy_order":"1042","sell_order":"1043","#
                + #""buyer_fee":"-0.020000","seller_fee":"0.140002"},"#
                + #"{"type":"release","order":"1042","account_id":"bob","asset":"USDT","amount":"0.000007"},"#
                + #"{"type":"state","order":"1042","account_id":"bob","state":"filled","cause":"none","#
                + #""remaining":"0.00000000"},{"type":"state","order":"1043","account_id":"alice","state":"expired","#
                + #""cause":"unfilled","remaining":"0.00600000"},{"type":"amended","order":"1043","price":"0.01","#
                + #""quantity":"0.00000002","remaining":"0.00000003","keeps_priority":true},"#
                + #"{"type":"hold","order":"1043","asset":"USDT","amount":"99999999999999999999999999999999.999999"}]}"#
        )
    }

    @Test func `a rejected order says why, and that it has no more state`() {
        let rejected = EngineOutput(
            sequence: 7, command: EngineCommand(time: Timestamp(microseconds: 0), EngineBytesTests.actions[6]),
            rejection: .insufficientFunds,
            events: [.state(order: 7, account: Identifier("alice")!, .rejected, cause: .none, remaining: 0)])
        #expect(rejected.json.contains(#""outcome":"rejected","reason":"insufficient_funds""#))
        #expect(rejected.json.contains(#""state":"rejected","cause":"none","remaining":"0""#))
    }

    @Test(arguments: EngineBytesTests.actions)
    func `every command is valid JSON with a type`(action: EngineCommand.Action) throws {
        let json = EngineCommand(time: Timestamp(microseconds: .max), action).json
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["type"] is String)
    }

    @Test func `an id with quotes or what ends a line elsewhere stays one string`() throws {
        let id = Identifier("a\"b\\c\u{2028}d\u{9b}e")!
        let json = EngineCommand(time: Timestamp(microseconds: 0), .setFeeTier(account: id, tier: 0)).json
        #expect(json.contains(#""account_id":"a\"b\\c\u2028d\u009be""#))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["account_id"] as? String == id.text)
    }

    @Test func `names in JSON are their own`() {
        #expect(Set(RejectReason.allCases.map(\.name)).count == RejectReason.allCases.count)
        #expect(Set(OrderState.allCases.map(\.name)).count == OrderState.allCases.count)
        #expect(RejectReason.allCases.allSatisfy { $0.name.allSatisfy { $0.isLowercase || $0 == "_" } })
    }
}
