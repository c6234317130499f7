// SPDX-License-Identifier: Apache-2.0
// See fields.hpp.
#include "http/fields.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr size_t kNone = std::string_view::npos;

// Removes and returns the next line; false at the empty line, and at the end.
bool next_line(std::string_view& rest, std::string_view& line) {
  const size_t end = rest.find("\r\n");
  if (end == kNone || end == 0) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return true;
}

}  // namespace

void ListField::add(std::string_view line_name, std::string_view value) {
  if (!is_present()) {
    name = line_name;
    text = value;
  } else {
    text = {text.data(), static_cast<size_t>(value.data() + value.size() - text.data())};
  }
}

bool take_line(ListField& rest, std::string_view& value) {
  if (!rest.is_present()) return false;
  const std::string_view text = rest.text;
  size_t end = text.find("\r\n");
  value = trim(text.substr(0, end));
  rest.text = {};
  while (end != kNone && !rest.is_present()) {
    const size_t begin = end + 2;
    end = text.find("\r\n", begin);
    const size_t colon = text.find(':', begin);
    if (colon >= end) continue;
    if (equals_ignoring_case(text.substr(begin, colon - begin), rest.name))
      rest.text = text.substr(colon + 1);
  }
  return true;
}

bool has_element(ListField list, std::string_view token) {
  std::string_view line, element;
  while (take_line(list, line))
    while (next_element(line, element))
      if (equals_ignoring_case(element, token)) return true;
  return false;
}

bool take_field(std::string_view& rest, std::string_view& name, std::string_view& value) {
  std::string_view line;
  if (!next_line(rest, line)) return false;
  const size_t colon = line.find(':');
  if (colon == kNone) return false;
  name = line.substr(0, colon);
  value = trim(line.substr(colon + 1));
  return true;
}

Fields::Fields(std::string_view head) : rest_(head) {
  if (rest_.substr(0, 2) == "\r\n") rest_.remove_prefix(2);
  std::string_view start_line;
  if (!next_line(rest_, start_line)) rest_ = {};
}

bool Fields::next(std::string_view& name, std::string_view& value) {
  return take_field(rest_, name, value);
}

bool is_hop_by_hop(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "connection",
      "keep-alive",
      "proxy-connection",
      "proxy-authenticate",
      "te",
      "transfer-encoding",
      "trailer",
      "proxy-authorization",
      "upgrade",
      "http2-settings",
      "proxy-authentication-info",
  };
  for (const std::string_view known : kNames)
    if (equals_ignoring_case(name, known)) return true;
  return false;
}

std::string connection_options(std::string_view head) {
  Fields fields(head);
  std::string_view field, list;
  std::string options;
  while (fields.next(field, list))
    if (equals_ignoring_case(field, "connection")) options.append(list).append(",");
  return options;
}

bool connection_names(std::string_view head, std::string_view name) {
  Fields fields(head);
  std::string_view field, list, option;
  while (fields.next(field, list)) {
    if (!equals_ignoring_case(field, "connection")) continue;
    while (next_element(list, option))
      if (equals_ignoring_case(option, name)) return true;
  }
  return false;
}

bool lines_have(std::string_view lines, std::string_view name) {
  std::string_view field, value;
  while (take_field(lines, field, value))
    if (equals_ignoring_case(field, name)) return true;
  return false;
}

}  // namespace spliced::http
