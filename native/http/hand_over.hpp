// SPDX-License-Identifier: Apache-2.0
// A backend's answer that names a file for the server to send in its place: X-Accel-Redirect
// (nginx) with a path of a route, or X-Sendfile (lighttpd, Apache's mod_xsendfile) with a path of
// the file system. This file parses it and decides which fields of the answer stay. Called by
// conn's relay and hand_over. No I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "http/routes.hpp"
#include "http/target.hpp"

namespace spliced::http {

// Fields that name a file, or that tell some backends where files lie (a request's X-Sendfile-Type
// and X-Accel-Mapping). They go neither from a backend to a client nor from a client to a backend.
bool is_hand_over_field(std::string_view name);

struct NamedFile {
  std::string_view field;  // "X-Accel-Redirect" or "X-Sendfile"; empty: no file is named
  std::string_view value;
  bool repeated = false;  // one of them came twice, or both came: it is ambiguous
  bool is_path() const { return field.size() == std::string_view("X-Sendfile").size(); }
};
NamedFile find_named_file(std::string_view head);

// Why a named file is not sent; for the log and the status.
enum class HandOverFault : uint8_t {
  Field,       // not one path: repeated, relative, with dots, empty segments or controls
  NotAllowed,  // no internal route has it, or `accelerate` does not name that
  Status,      // 204 and 205 have no body
  Missing,     // there is no such file
  NotTaken,    // the client accepts none of its codings
  Unreadable,  // out of descriptors, or the disk failed
};
inline constexpr size_t kHandOverFaults = 6;
extern const char* const kHandOverFaultNames[kHandOverFaults];

struct HandOverTarget {
  const Route* route = nullptr;  // an internal one; null: see `fault`
  HandOverFault fault = HandOverFault::Field;
  bool directory = false;
};
// Finds the internal route that the field names, and the path below its root, for an answer to
// `host` by `proxy`. `out` receives the path.
HandOverTarget find_hand_over(const Routes& routes, const Route& proxy, std::string_view host,
                              const NamedFile& named, PathBuffer& out);

// The part of a backend's head that is sent with the file.
struct KeptFields {
  uint16_t status = 0;  // 200: the engine's own rules choose 200, 206 or 304
  std::string reason;   // of another status
  std::string lines;    // whole lines; the proxy route's replace those of the same name
  std::string type;     // line of Content-Type; empty: the type of the file
  std::string fields;   // of the internal route, without those that `lines` has
  bool has_cache_rule = false;
  bool has_nosniff = false;
};
KeptFields keep_fields(std::string_view head, uint16_t status, std::string_view reason,
                       const Route& proxy, const Route& internal);

// Keeps what a file's answer depends on, as a head that parse_head() accepts: the method (GET or
// HEAD), conditions, ranges and codings. Used while a backend decides.
std::string keep_request(std::string_view head, Method method);

}  // namespace spliced::http
