// SPDX-License-Identifier: Apache-2.0
// Owns a connection's exchange with a backend. For connection.hpp, because the complete type needs
// all of conn/.
#pragma once
#include <memory>

namespace spliced::conn {

struct Exchange;

struct EndExchange {
  void operator()(Exchange* exchange) const;  // exchange.cpp
};
using ExchangePtr = std::unique_ptr<Exchange, EndExchange>;

}  // namespace spliced::conn
