// SPDX-License-Identifier: Apache-2.0
// A backend's answer that names a file for the server to send in its place: X-Accel-Redirect (the
// name that nginx gave it) with a path of ours, X-Sendfile (lighttpd, Apache's mod_xsendfile) with
// a path of the file system. What it says, and which of its fields stay. Called by conn's relay and
// hand_over. No I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "http/routes.hpp"
#include "http/target.hpp"

namespace spliced::http {

// Of an answer: it names a file. Such a field never goes to a client, nor from one to a backend:
// X-Sendfile-Type and X-Accel-Mapping of a request tell some backends where files lie.
bool is_hand_over_field(std::string_view name);

struct NamedFile {
  std::string_view field;  // "X-Accel-Redirect" or "X-Sendfile"; empty: the answer names no file
  std::string_view value;
  bool repeated = false;  // one of them came twice, or both: which of them counts nobody knows
  bool is_path() const { return field.size() == std::string_view("X-Sendfile").size(); }
};
NamedFile find_named_file(std::string_view head);

// Why a file that was named is not sent; in the log and in the status.
enum class HandOverFault : uint8_t {
  Field,       // it is not one path: repeated, relative, with dots, empty parts or controls
  NotAllowed,  // no internal route has it, or `accelerate` does not name that
  Status,      // 204 and 205 have no body
  Missing,     // there is no such file
  NotTaken,    // the client takes none of its codings
  Unreadable,  // out of descriptors, or the disk failed
};
inline constexpr size_t kHandOverFaults = 6;
extern const char* const kHandOverFaultNames[kHandOverFaults];

struct HandOverTarget {
  const Route* route = nullptr;  // internal; null: see `fault`
  HandOverFault fault = HandOverFault::Field;
  bool directory = false;
};
// Which internal route and path below its root the field names, for an answer to `host` by `proxy`.
// `out` has the path.
HandOverTarget find_hand_over(const Routes& routes, const Route& proxy, std::string_view host,
                              const NamedFile& named, PathBuffer& out);

// What stays of a backend's head beside a file's.
struct KeptFields {
  uint16_t status = 0;  // 200 where the engine's own rules decide: 200, 206 and 304
  std::string reason;   // of another status
  std::string lines;    // whole ones, with the proxy route's in the place of those of their names
  std::string type;     // the line of Content-Type; empty: the file's counts
  std::string fields;   // of the internal route, without those that `lines` has
  bool has_cache_rule = false;
  bool has_nosniff = false;
};
KeptFields keep_fields(std::string_view head, uint16_t status, std::string_view reason,
                       const Route& proxy, const Route& internal);

// Of a request, what a file's answer depends on, as a head that parse_head() reads: the method
// (GET, or HEAD), conditions, ranges and codings. Kept while a backend decides.
std::string keep_request(std::string_view head, Method method);

}  // namespace spliced::http
