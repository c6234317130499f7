// SPDX-License-Identifier: Apache-2.0
// Iterates over the header fields of a head that a parser of this room has accepted, and says which
// concern one connection alone. For the writers of heads that are passed on: they write every field
// anew, and never copy a byte of a received head unparsed.
#pragma once
#include <string>
#include <string_view>

namespace spliced::http {

// A list field, in one line or in several (RFC 9110 5.3). The view spans from the first line's
// value to the end of the last one's, with the lines of other fields in between, so that nothing is
// copied. Its lines form one list in their order; take_line() returns one after the other.
struct ListField {
  ListField() = default;
  ListField(std::string_view line) : text(line) {}

  bool is_present() const { return text.data() != nullptr; }
  void add(std::string_view line_name, std::string_view value);

  std::string_view name, text;
};

// Removes and returns the value of the next line; false at the end.
bool take_line(ListField& rest, std::string_view& value);

// Whether an element equals this token. For lists whose elements have no quoted strings.
bool has_element(ListField list, std::string_view token);

class Fields {
 public:
  // `head` is the bytes from the start line to the empty line.
  explicit Fields(std::string_view head);

  // False at the end. `value` is trimmed.
  bool next(std::string_view& name, std::string_view& value);

 private:
  std::string_view rest_;
};

// RFC 9110 7.6.1: fields that an intermediary never passes on, whatever Connection says.
bool is_hop_by_hop(std::string_view name);

// The options of all Connection fields of the head, as one list.
std::string connection_options(std::string_view head);

// Whether a Connection field of the head names this field.
bool connection_names(std::string_view head, std::string_view name);

// Removes and returns the next of whole lines ("Name: value" and CRLF); false at the end, and at an
// empty line. `value` is trimmed.
bool take_field(std::string_view& lines, std::string_view& name, std::string_view& value);

// Whether one of these lines has that name.
bool lines_have(std::string_view lines, std::string_view name);

}  // namespace spliced::http
