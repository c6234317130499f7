// SPDX-License-Identifier: Apache-2.0
// See request_fields.hpp.
#include "http/request_fields.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

// Of a head, beside what its fields say: mostly enough.
constexpr size_t kOtherBytes = 128;

bool is_visible_text(std::string_view text) {
  for (const char c : text)
    if (!is_visible(c)) return false;
  return !text.empty();
}

// RFC 9110 5.5: no control character except HTAB, so that no value ends its line.
bool is_field_value(std::string_view value) {
  for (const char c : value)
    if (is_control(c) && c != '\t') return false;
  return true;
}

// RFC 9113 8.2.1: lower case.
bool is_field_name(std::string_view name) {
  for (const char c : name)
    if (c != lower(c)) return false;
  return is_token(name);
}

// RFC 9113 8.2.2.
bool belongs_to_connection(std::string_view name) {
  static constexpr std::string_view kNames[] = {"connection", "keep-alive", "proxy-connection",
                                                "transfer-encoding", "upgrade"};
  for (const std::string_view known : kNames)
    if (name == known) return true;
  return false;
}

}  // namespace

void RequestFields::set_once(std::string& pseudo, bool& seen, std::string_view value) {
  malformed_ = malformed_ || seen || regular_;
  seen = true;
  pseudo.assign(value);
}

void RequestFields::add_pseudo(std::string_view name, std::string_view value) {
  std::string scheme;
  if (name == ":method") {
    set_once(method_, has_method_, value);
  } else if (name == ":protocol") {
    set_once(protocol_, has_protocol_, value);
  } else if (name == ":scheme") {
    set_once(scheme, has_scheme_, value);
  } else if (name == ":authority") {
    set_once(authority_, has_authority_, value);
  } else if (name == ":path") {
    set_once(path_, has_path_, value);
  } else {
    malformed_ = true;
  }
}

void RequestFields::add_regular(std::string_view name, std::string_view value) {
  regular_ = true;
  if (!is_field_name(name) || belongs_to_connection(name)) {
    malformed_ = true;
  } else if (name == "te") {
    malformed_ = malformed_ || !equals_ignoring_case(trim(value), "trailers");
    takes_trailers_ = true;
  } else if (name == "host") {
    malformed_ = malformed_ || has_host_;
    has_host_ = true;
    host_.assign(trim(value));
  } else if (name == "cookie") {  // RFC 9113 8.2.3: several become one field
    if (has_cookie_) cookie_.append("; ");
    has_cookie_ = true;
    cookie_.append(value);
  } else if (has_protocol_ && name == "sec-websocket-key") {
    return;  // RFC 8441 5.1: frames say the same
  } else {
    if (name == "content-length") {
      has_length_ = true;
      length_is_zero_ = trim(value) == "0";
    }
    lines_.append(name).append(": ").append(value).append("\r\n");
  }
}

void RequestFields::add(std::string_view name, std::string_view value, size_t bytes_max) {
  bytes_ += name.size() + value.size();
  if (bytes_ > bytes_max) too_large_ = true;
  if (!is_field_value(value) || name.empty()) malformed_ = true;
  // The method is kept all the same, because an answer to HEAD has no body.
  if (malformed_ || (too_large_ && name != ":method")) return;
  if (name.front() == ':')
    add_pseudo(name, value);
  else
    add_regular(name, value);
}

bool RequestFields::opens_websocket() const {
  return method_ == "CONNECT" && equals_ignoring_case(protocol_, "websocket");
}

RequestFields::Verdict RequestFields::finish(bool ends, std::string& out,
                                             std::string_view websocket_key) const {
  // RFC 8441 4: with :protocol it has the pseudo-header fields of other requests, and no content
  // (RFC 9110 9.3.6).
  const bool extended = method_ == "CONNECT" && has_protocol_;
  if (has_protocol_ && (!extended || !has_authority_ || has_length_)) return Verdict::Malformed;
  const bool connect = method_ == "CONNECT" && !extended;
  // RFC 9113 8.3.1, and 8.5 for CONNECT.
  const bool complete =
      connect ? has_authority_ && !has_path_ && !has_scheme_ : has_path_ && has_scheme_;
  // Whether the host is valid is for the parser. Two that differ are malformed.
  const bool agree = !has_host_ || !has_authority_ || equals_ignoring_case(host_, authority_);
  if (malformed_ || !has_method_ || !agree) return Verdict::Malformed;
  if (too_large_) return Verdict::TooLarge;
  const std::string& target = connect ? authority_ : path_;
  if (!complete || !is_token(method_) || !is_visible_text(target) ||
      (ends && has_length_ && !length_is_zero_))
    return Verdict::Malformed;
  if (!connect && path_.front() != '/' && path_ != "*") return Verdict::Malformed;
  if (extended && !opens_websocket()) return Verdict::OtherProtocol;
  out.clear();
  out.reserve(target.size() + authority_.size() + host_.size() + cookie_.size() + lines_.size() +
              kOtherBytes);
  out.append(extended ? "GET" : method_).append(" ").append(target).append(" HTTP/1.1\r\n");
  if (has_authority_ || has_host_)
    out.append("host: ").append(has_authority_ ? authority_ : host_).append("\r\n");
  if (takes_trailers_) out.append("te: trailers\r\nconnection: te\r\n");
  if (has_cookie_) out.append("cookie: ").append(cookie_).append("\r\n");
  out.append(lines_);
  if (extended) {
    out.append("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
    out.append(websocket_key).append("\r\n");
  }
  if (!ends && !has_length_ && !extended) out.append("transfer-encoding: chunked\r\n");
  out.append("\r\n");
  return Verdict::Good;
}

}  // namespace spliced::http
