// SPDX-License-Identifier: Apache-2.0
// http/negotiation: which codings a client takes, and in which order.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/negotiation.hpp"

using namespace spliced::http;

namespace {

// "br gzip" and so on, in order; "-" behind it where the file as it is is refused.
std::string order(std::string_view field) {
  const Preference preference = negotiate(field);
  std::string text;
  for (size_t i = 0; i < preference.count; i++)
    text += std::string(i > 0 ? " " : "") + std::string(name_of(preference.order[i]).token);
  return text + (preference.identity ? "" : "-");
}

struct Row {
  const char* rule;
  const char* field;
  const char* order;
};

}  // namespace

TEST_CASE("negotiation: Accept-Encoding (RFC 9110 12.5.3)") {
  CHECK(order({}) == "");  // absent
  for (const Row& row : {
           Row{"empty: identity alone", "", ""},
           Row{"a browser's", "gzip, deflate, br, zstd", "br zstd gzip"},
           Row{"ours where weights are equal", "gzip;q=0.5, br;q=0.5", "br gzip"},
           Row{"the client's order", "gzip;q=1.0, br;q=0.8, zstd;q=0.9", "gzip zstd br"},
           Row{"three digits", "br;q=0.001, gzip;q=0.002", "gzip br"},
           Row{"any case (8.4.1)", "GZIP, Br;Q=0.5", "gzip br"},
           Row{"x-gzip (8.4.1.3)", "x-gzip", "gzip"},
           Row{"space around (5.6.3)", " br ; q=0.5 ,\tgzip", "gzip br"},
           Row{"not wanted", "br;q=0, gzip", "gzip"},
           Row{"not wanted, in full", "br;q=0.000, gzip", "gzip"},
           Row{"star", "*", "br zstd gzip"},
           Row{"star but one", "br;q=0, *", "zstd gzip"},
           Row{"star below one", "*;q=0.1, gzip;q=0.2", "gzip br zstd"},
           Row{"star none", "*;q=0", "-"},
           Row{"star none but one", "gzip, *;q=0", "gzip-"},
           Row{"star none, identity named", "*;q=0, identity;q=0.1", ""},
           Row{"identity none", "identity;q=0", "-"},
           Row{"identity none but one", "br, identity;q=0", "br-"},
           Row{"identity first (media elements)", "identity;q=1, *;q=0", ""},
           Row{"identity better than one", "identity;q=0.5, gzip;q=0.4, br;q=0.6", "br"},
           Row{"identity as good: the smaller one", "identity, gzip", "gzip"},
           Row{"the first of two counts", "br;q=0, br", ""},
           Row{"unknown ones", "deflate, compress, sdch", ""},
           Row{"unknown beside known", "deflate, gzip;q=0.1", "gzip"},
           Row{"empty elements (5.6.1.2)", ",, gzip ,", "gzip"},
           Row{"no weight", "gzip;q=, br", "br"},
           Row{"weight above 1", "gzip;q=1.001, br;q=2", ""},
           Row{"four digits", "gzip;q=0.1234", ""},
           Row{"negative", "gzip;q=-1", ""},
           Row{"another parameter", "gzip;level=9, br", "br"},
           Row{"two parameters", "gzip;q=1;x=2", ""},
           Row{"no token", "g zip, \"br\"", ""},
           Row{"dot alone", "gzip;q=0., br;q=1.", "br"},
       }) {
    CAPTURE(row.rule);
    CAPTURE(row.field);
    CHECK(order(row.field) == row.order);
  }
}
