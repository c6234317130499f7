// SPDX-License-Identifier: Apache-2.0
// A connection's exchange with a backend, for connection.hpp: what it is made of needs all of
// conn/.
#pragma once
#include <memory>

namespace spliced::conn {

struct Exchange;

struct EndExchange {
  void operator()(Exchange* exchange) const;  // exchange.cpp
};
using ExchangePtr = std::unique_ptr<Exchange, EndExchange>;

}  // namespace spliced::conn
