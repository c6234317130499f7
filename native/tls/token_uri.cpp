// SPDX-License-Identifier: Apache-2.0
// See token_uri.hpp.
#include "tls/token_uri.hpp"

#include <stdlib.h>

#include <string_view>
#include <vector>

namespace spliced::tls {
namespace {

constexpr std::string_view kScheme = "pkcs11:";
constexpr std::string_view kHandle = "handle:";
constexpr std::string_view kPin = "pin-source=";
constexpr std::string_view kCredential = "credential:";

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 3986 2.1. False if a "%" begins no octet, or a NUL.
bool decode(std::string_view text, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0 || high + low == 0) return false;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return true;
}

bool begins(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}

// As in systemd.exec(5); src/certificates/installed.ts does the same for files.
bool credential_path(std::string_view name, std::string& path, std::string& error) {
  const char* directory = ::getenv("CREDENTIALS_DIRECTORY");
  if (name.empty() || name.find('/') != std::string_view::npos || name.front() == '.') {
    error = "pin-source: \"" + std::string(name) + "\" is no name of a credential";
    return false;
  }
  if (directory == nullptr) {
    error = "pin-source: the service manager has passed no credentials (LoadCredential=)";
    return false;
  }
  path = std::string(directory) + "/" + std::string(name);
  return true;
}

// The path that a pin-source names. Empty, with `error`, if it names none.
std::string pin_path(std::string_view value, std::string& error) {
  std::string path;
  if (begins(value, kCredential)) {
    (void)credential_path(value.substr(kCredential.size()), path, error);
    return path;
  }
  constexpr std::string_view kFile = "file:";
  if (begins(value, kFile)) (void)decode(value.substr(kFile.size()), path);
  if (!path.empty() && path.front() == '/') return path;
  error = "pin-source is file:/path or credential:NAME";
  return "";
}

// TCG TPM 2.0 Part 2, 7.5: persistent objects are 0x81000000 to 0x81ffffff.
bool is_persistent(std::string_view handle) {
  return handle.size() == 10 && begins(handle, "0x81") &&
         handle.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
}

bool parse_handle(std::string_view path, std::string_view query, TokenUri& out,
                  std::string& error) {
  out = {};
  out.is_tpm = true;
  out.shown = out.for_provider = std::string(path);
  if (!is_persistent(path.substr(kHandle.size()))) {
    error = "the handle of a TPM's key is that of a persistent object, such as handle:0x81000001";
    return false;
  }
  if (query.empty()) return true;
  if (!begins(query, kPin) || query.find('&') != std::string_view::npos) {
    error = "behind a TPM's handle stands pin-source=file:/path or nothing, and no PIN itself";
    return false;
  }
  out.pin_file = pin_path(query.substr(kPin.size()), error);
  out.for_provider += "?pass";
  return !out.pin_file.empty();
}

}  // namespace

bool parse_token_uri(const std::string& uri, TokenUri& out, std::string& error) {
  std::string_view rest = uri;
  if (!begins(rest, kScheme) && !begins(rest, kHandle)) {
    error = "a reference to a private key begins with pkcs11: or, for a TPM, handle:";
    return false;
  }
  const size_t question = rest.find('?');
  const std::string_view query =
      question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
  const std::string_view path = rest.substr(0, question);
  if (begins(rest, kHandle)) return parse_handle(path, query, out, error);
  out = {};
  out.shown = std::string(path);
  out.for_provider = out.shown;
  if (path.find("type=") == std::string_view::npos)
    out.for_provider += path.size() == kScheme.size() ? "type=private" : ";type=private";
  char separator = '?';
  for (const std::string_view attribute : split(query, '&')) {
    std::string text(attribute);
    if (begins(attribute, "pin-value=")) {
      error = "the PIN must be in its own file (mode 0600): pin-source=file:/path, not pin-value";
      return false;
    }
    if (begins(attribute, "module-path=")) {
      if (decode(attribute.substr(attribute.find('=') + 1), out.module_path)) continue;
      error = "module-path is not percent-encoded as RFC 3986 has it";
      return false;
    }
    if (begins(attribute, kPin) && begins(attribute.substr(kPin.size()), kCredential)) {
      std::string file;
      if (!credential_path(attribute.substr(kPin.size() + kCredential.size()), file, error))
        return false;
      text = std::string(kPin) + "file:" + file;
    }
    out.for_provider += separator + text;
    separator = '&';
  }
  return true;
}

}  // namespace spliced::tls
