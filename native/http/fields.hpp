// SPDX-License-Identifier: Apache-2.0
// The header fields of a head that a parser of this room has accepted, one after the other, and
// which of them concern one connection alone. For the writers of heads that are passed on: they
// write every field anew, and no byte of a received head is sent as it came.
#pragma once
#include <string>
#include <string_view>

namespace spliced::http {

// A field whose value is a list, in one line or in several (RFC 9110 5.3): from the first line's
// value to the end of the last one's, with the lines of other fields in between. Its lines are one
// list in their order; take_line() gives one after the other, so that none is copied.
struct ListField {
  ListField() = default;
  ListField(std::string_view line) : text(line) {}

  bool is_present() const { return text.data() != nullptr; }
  void add(std::string_view line_name, std::string_view value);

  std::string_view name, text;
};

// Takes the next line's value off; false at the end.
bool take_line(ListField& rest, std::string_view& value);

// An element is this token. For lists whose elements have no quoted strings.
bool has_element(ListField list, std::string_view token);

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

// The Connection fields of the head as one list.
std::string connection_options(std::string_view head);

// The Connection fields of the head name this one.
bool connection_names(std::string_view head, std::string_view name);

// Takes the next of whole lines ("Name: value" and CRLF) off; false at the end, and at an empty one.
// `value` is trimmed.
bool take_field(std::string_view& lines, std::string_view& name, std::string_view& value);

// Whole lines have one of that name.
bool lines_have(std::string_view lines, std::string_view name);

}  // namespace spliced::http
