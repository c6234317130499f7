// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/target: whatever is asked for, the path stays beneath the root, and a path that came
// out names itself when it goes in again, encoded.
#include "http/target.hpp"

#include <cstring>
#include <string>

#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

std::string encoded(std::string_view path) {
  static const char kDigits[] = "0123456789abcdef";
  std::string target = "/";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '/') {
      target += c;
    } else {
      target += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  PathBuffer path;
  const TargetResult result = resolve_target(text_of(data, size), path);
  const std::string_view view = path.view();
  INVARIANT(std::strlen(path.c_str()) == view.size());  // terminated, and no NUL inside
  if (result.status != 0) {
    INVARIANT(result.status == 400 || result.status == 404 || result.status == 414);
    INVARIANT(result.why != nullptr && view.empty());
    return 0;
  }
  INVARIANT((!view.empty() || result.directory) && view.size() <= limits::kPathBytesMax);
  for (const char c : view) INVARIANT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);

  const std::string fenced = view.empty() ? "/" : "/" + std::string(view) + "/";
  INVARIANT(fenced.find("//") == std::string::npos);  // no leading or trailing slash either
  INVARIANT(fenced.find("/./") == std::string::npos);
  INVARIANT(fenced.find("/../") == std::string::npos);

  PathBuffer again;
  INVARIANT(resolve_target(encoded(view), again).status == 0);
  INVARIANT(again.view() == view);
  return 0;
}
