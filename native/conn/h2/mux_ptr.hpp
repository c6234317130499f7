// SPDX-License-Identifier: Apache-2.0
// A Mux that a Connection owns, without its definition, which needs the connection's.
#pragma once
#include <memory>

namespace spliced::conn {

struct Mux;
struct EndMux {
  void operator()(Mux* mux) const;
};
using MuxPtr = std::unique_ptr<Mux, EndMux>;

}  // namespace spliced::conn
