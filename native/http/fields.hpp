// SPDX-License-Identifier: Apache-2.0
// The header fields of a head that a parser of this room has accepted, one after the other, and
// which of them concern one connection alone. For the writers of heads that are passed on: they
// write every field anew, and no byte of a received head is sent as it came.
#pragma once
#include <string_view>

namespace spliced::http {

class Fields {
 public:
  // `head`: from the start line to the empty line.
  explicit Fields(std::string_view head);

  // False at the end. `value` is trimmed.
  bool next(std::string_view& name, std::string_view& value);

 private:
  std::string_view rest_;
};

// RFC 9110 7.6.1: what an intermediary does not pass on, whatever Connection says.
bool is_hop_by_hop(std::string_view name);

// The Connection fields of the head name this one.
bool connection_names(std::string_view head, std::string_view name);

// Whole lines ("Name: value" and CRLF) have one of that name.
bool lines_have(std::string_view lines, std::string_view name);

}  // namespace spliced::http
