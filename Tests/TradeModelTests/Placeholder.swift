import Testing
@testable import TradeModel
