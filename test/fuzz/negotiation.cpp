// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/negotiation. The input is an Accept-Encoding. A coding is taken only if the client
// named it or said "*"; what was understood, said plainly, is understood the same way; and an
// element put in front does to its coding what it says and nothing to the others.
#include "http/negotiation.hpp"

#include <string>

#include "http/syntax.hpp"
#include "invariant.hpp"

using namespace spliced::http;

namespace {

Preference ask(std::string_view line) {
  return negotiate(ListField(line));
}

bool names(std::string_view field, std::string_view word) {
  for (size_t at = 0; at + word.size() <= field.size(); ++at)
    if (equals_ignoring_case(field.substr(at, word.size()), word)) return true;
  return false;
}

bool has(const Preference& preference, Coding coding) {
  for (size_t i = 0; i < preference.count; ++i)
    if (preference.order[i] == coding) return true;
  return false;
}

bool same(const Preference& a, const Preference& b) {
  if (a.count != b.count || a.identity != b.identity) return false;
  for (size_t i = 0; i < a.count; ++i)
    if (a.order[i] != b.order[i]) return false;
  return true;
}

Preference without(const Preference& preference, Coding coding) {
  Preference rest;
  rest.identity = preference.identity;
  for (size_t i = 0; i < preference.count; ++i)
    if (preference.order[i] != coding) rest.order[rest.count++] = preference.order[i];
  return rest;
}

std::string said_plainly(const Preference& preference) {
  static constexpr std::string_view kWeights[kCodings] = {";q=1", ";q=0.5", ";q=0.002"};
  std::string field;
  for (size_t i = 0; i < preference.count; ++i)
    field.append(name_of(preference.order[i]).token).append(kWeights[i]).append(", ");
  return field + (preference.identity ? "identity;q=0.001" : "identity;q=0");
}

void check_in_front(const std::string& field, const Preference& preference, Coding coding) {
  const std::string token(name_of(coding).token);
  const Preference refused = ask(token + ";q=0, " + field);
  INVARIANT(same(refused, without(preference, coding)));
  const Preference wanted = ask(token + "," + field);
  INVARIANT(has(wanted, coding));  // no weight of identity is above 1
  INVARIANT(same(without(wanted, coding), without(preference, coding)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = text_of(data, size);
  const Preference preference = ask(input);
  const bool any = names(input, "*");

  INVARIANT(preference.count <= kCodings);
  for (size_t i = 0; i < preference.count; ++i) {
    const Coding coding = preference.order[i];
    INVARIANT(any || names(input, name_of(coding).token));
    for (size_t j = 0; j < i; ++j) INVARIANT(preference.order[j] != coding);
  }
  if (!preference.identity) INVARIANT((any || names(input, "identity")) && names(input, "q=0"));

  const std::string field(input);
  INVARIANT(same(ask(said_plainly(preference)), preference));
  INVARIANT(same(ask(" ,\t," + field), preference));
  INVARIANT(same(ask("br gzip, zstd;q=2, gzip;v=1, br;q=0.0000," + field), preference));
  for (const Coding coding : {Coding::Brotli, Coding::Zstd, Coding::Gzip})
    check_in_front(field, preference, coding);
  return 0;
}
