// SPDX-License-Identifier: Apache-2.0
// See negotiation.hpp. Weights are in thousandths, because the grammar has at most three digits.
#include "http/negotiation.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr int kUnsaid = -1;
constexpr int kWeightMax = 1000;

struct Weights {
  int coding[kCodings] = {kUnsaid, kUnsaid, kUnsaid};
  int identity = kUnsaid;
  int any = kUnsaid;
};

// qvalue, RFC 9110 12.4.2: 0 to 1 with at most three digits. False for anything else.
bool parse_weight(std::string_view text, int& weight) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return false;
  if (text.size() > 1 && text[1] != '.') return false;
  weight = text[0] == '1' ? kWeightMax : 0;
  int unit = 100;
  for (const char c : text.substr(text.size() > 1 ? 2 : 1)) {
    if (!is_digit(c)) return false;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= kWeightMax;
}

// codings [ OWS ";" OWS "q=" qvalue ]. False for anything else.
bool parse_element(std::string_view element, std::string_view& name, int& weight) {
  const size_t semicolon = element.find(';');
  name = trim(element.substr(0, semicolon));
  weight = kWeightMax;
  if (!is_token(name)) return false;
  if (semicolon == std::string_view::npos) return true;
  const std::string_view parameter = trim(element.substr(semicolon + 1));
  if (parameter.size() < 2 || lower(parameter[0]) != 'q' || parameter[1] != '=') return false;
  return parse_weight(parameter.substr(2), weight);
}

void keep(std::string_view name, int weight, Weights& weights) {
  int* place = nullptr;
  for (size_t i = 0; i < kCodings; i++)
    if (equals_ignoring_case(name, kCodingNames[i].token)) place = &weights.coding[i];
  // RFC 9110 8.4.1.3: x-gzip is gzip.
  if (equals_ignoring_case(name, "x-gzip"))
    place = &weights.coding[static_cast<size_t>(Coding::Gzip)];
  if (equals_ignoring_case(name, "identity")) place = &weights.identity;
  if (name == "*") place = &weights.any;
  if (place != nullptr && *place == kUnsaid) *place = weight;
}

}  // namespace

Preference negotiate(ListField field) {
  Weights weights;
  std::string_view line, element;
  while (take_line(field, line)) {
    while (next_element(line, element)) {
      std::string_view name;
      int weight = 0;
      if (parse_element(element, name, weight)) keep(name, weight, weights);
    }
  }
  // RFC 9110 12.5.3: "*" stands for every coding that is not named. For identity it can only
  // exclude.
  for (int& weight : weights.coding)
    if (weight == kUnsaid) weight = weights.any == kUnsaid ? 0 : weights.any;
  if (weights.identity == kUnsaid && weights.any == 0) weights.identity = 0;

  Preference preference;
  preference.identity = weights.identity != 0;
  const int least = weights.identity == kUnsaid ? 1 : weights.identity > 1 ? weights.identity : 1;
  for (size_t i = 0; i < kCodings; i++) {
    if (weights.coding[i] < least) continue;
    size_t place = preference.count++;
    for (; place > 0; place--) {  // insertion sort, which is stable
      const Coding before = preference.order[place - 1];
      if (weights.coding[static_cast<size_t>(before)] >= weights.coding[i]) break;
      preference.order[place] = before;
    }
    preference.order[place] = static_cast<Coding>(i);
  }
  return preference;
}

}  // namespace spliced::http
