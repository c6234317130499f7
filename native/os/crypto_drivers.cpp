// SPDX-License-Identifier: Apache-2.0
// Parses /proc/crypto; see crypto_drivers.hpp. The format is that of c_show() in crypto/proc.c:
// entries of "key : value" lines, each entry followed by an empty line.
#include "os/crypto_drivers.hpp"

#include <charconv>
#include <cstdio>
#include <memory>

namespace spliced::os {
namespace {

constexpr size_t kProcCryptoBytesMax = 256 * 1024;

struct Entry {
  std::string_view name;
  std::string_view driver;
  std::string_view priority;
  std::string_view selftest;
  std::string_view internal;
  std::string_view type;
  std::string_view async;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes the next line off `text`, without its newline.
std::string_view take_line(std::string_view& text) {
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line;
}

void keep_line(std::string_view line, Entry& entry) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view key = trim(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (key == "name") entry.name = value;
  if (key == "driver") entry.driver = value;
  if (key == "priority") entry.priority = value;
  if (key == "selftest") entry.selftest = value;
  if (key == "internal") entry.internal = value;
  if (key == "type") entry.type = value;
  if (key == "async") entry.async = value;
}

// Takes the next entry off `text`, up to and with its empty line; false at the end.
bool take_entry(std::string_view& text, Entry& entry) {
  entry = Entry{};
  if (text.empty()) return false;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (trim(line).empty()) break;
    keep_line(line, entry);
  }
  return true;
}

bool parse_priority(std::string_view text, int& value) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end;
}

// A larval is an algorithm whose template is still being built.
bool is_usable(const Entry& entry) {
  return !entry.driver.empty() && entry.selftest == "passed" && entry.internal != "yes" &&
         entry.type != "larval";
}

}  // namespace

std::optional<CipherDriver> preferred_driver(std::string_view proc_crypto_text,
                                             std::string_view algorithm) {
  Entry best;
  int best_priority = 0;
  Entry entry;
  while (take_entry(proc_crypto_text, entry)) {
    int priority = 0;
    if (entry.name != algorithm || !is_usable(entry)) continue;
    if (!parse_priority(entry.priority, priority)) continue;
    if (!best.driver.empty() && priority <= best_priority) continue;
    best = entry;
    best_priority = priority;
  }
  if (best.driver.empty()) return std::nullopt;
  return CipherDriver{std::string(best.driver), std::string(best.name), best_priority,
                      best.async == "yes", false};
}

std::string read_proc_crypto() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/crypto", "re"), std::fclose);
  if (!file) return {};
  std::string text(kProcCryptoBytesMax, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (text.size() < kProcCryptoBytesMax) return text;
  const size_t last_gap = text.rfind("\n\n");  // the bound cut an entry: leave it out
  text.resize(last_gap == std::string::npos ? 0 : last_gap + 2);
  return text;
}

}  // namespace spliced::os
