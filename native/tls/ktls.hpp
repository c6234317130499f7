// SPDX-License-Identifier: Apache-2.0
// System calls for kernel TLS: attach the upper-layer protocol to a socket, give it keys, read its
// record sequence. promote.cpp has their order and the reasons. Linux 4.13 and later,
// Documentation/networking/tls.rst.
#pragma once
#include <cstdint>

#include "tls/cipher.hpp"
#include "tls/traffic_keys.hpp"

namespace spliced::tls::ktls {

enum class Direction : uint8_t { Transmit, Receive };

// Each returns 0 or an errno.
int attach(int socket);  // ENOENT: no "tls" module; ENOTCONN: no longer ESTABLISHED
int install(int socket, Direction direction, const CipherSpec& spec, const TrafficKeys& keys);

// The sequence number of the next record. False when the kernel has no keys for this direction.
bool next_sequence(int socket, Direction direction, const CipherSpec& spec, uint64_t& out);

}  // namespace spliced::tls::ktls
