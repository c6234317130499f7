// SPDX-License-Identifier: Apache-2.0
// Fuzzes os/crypto_drivers: what is preferred is in the text, and the same entry given twice, or
// given after what precedes no entry, is preferred still.
#include <string>

#include "invariant.hpp"
#include "os/crypto_drivers.hpp"

using namespace spliced::os;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  const auto driver = preferred_driver(text, "gcm(aes)");
  if (!driver) return 0;
  INVARIANT(driver->algorithm == "gcm(aes)");
  INVARIANT(!driver->name.empty() && !driver->internal);
  INVARIANT(text.find(driver->name) != std::string_view::npos);
  INVARIANT(text.find("passed") != std::string_view::npos);
  if (driver->async) INVARIANT(text.find("yes") != std::string_view::npos);

  const std::string twice = "\n" + std::string(text) + "\n\n" + std::string(text);
  const auto again = preferred_driver(twice, "gcm(aes)");
  INVARIANT(again && again->name == driver->name && again->priority == driver->priority);
  return 0;
}
