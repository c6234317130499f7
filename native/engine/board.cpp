// SPDX-License-Identifier: Apache-2.0
// See board.hpp.
#include "engine/board.hpp"

#include <string.h>

#include <string_view>

#include "os/host.hpp"
#include "ring/ring.hpp"

namespace spliced::engine {

void write_ciphers(JsonWriter& json, const tls::KernelSupport& kernel) {
  json.open_array("ciphers");
  const char* seen = "";
  for (const tls::CipherSpec& spec : tls::kCiphers) {
    if (spec.name == std::string_view(seen)) continue;  // ECDSA and RSA suites share the AEAD
    seen = spec.name;
    const tls::CipherSupport& support = kernel.of(spec);
    json.open()
        .text("version", tls::version_name(spec.version))
        .text("cipher", spec.name)
        .boolean("tx", support.transmit)
        .boolean("rx", support.receive)
        .text("error", support.error != 0 ? ::strerror(support.error) : "")
        .close();
  }
  json.close_array();
}

std::string board_json() {
  const tls::KernelSupport kernel = tls::probe_kernel();
  const ring::Opened opened = ring::open_ring(ring::Backend::Auto);
  JsonWriter json;
  json.open()
      .open("kernelTls")
      .boolean("tried", kernel.tried)
      .boolean("attachable", kernel.attachable)
      .text("reason", kernel.reason)
      .boolean("keyUpdates", kernel.takes_new_keys());
  write_ciphers(json, kernel);
  json.close()
      .open("ring")
      .text("backend", opened.backend)
      .text("detail", opened.detail)
      .close()
      .boolean("randomReady", os::random_ready())
      .boolean("clockSynchronised", os::clock_synchronised())
      .number("pageBytes", os::page_bytes())
      .close();
  return json.take();
}

}  // namespace spliced::engine
