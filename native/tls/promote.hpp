// SPDX-License-Identifier: Apache-2.0
// Moves a connection from OpenSSL to the kernel in three phases. Validate checks every
// precondition, each with its reason. Install makes the system calls. Commit cannot fail. If
// validation refuses, OpenSSL serves the connection and the reason is counted.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "tls/probe.hpp"
#include "tls/session.hpp"

namespace spliced::tls {

enum class Fallback : uint8_t {
  OffByConfiguration,
  KernelHasNoTls,
  CipherRefused,
  PeerClosed,
  NotQuiescent,
  InstallFailed,
  FragmentLength,  // the client accepts only short records; the kernel makes full ones
  Suspended,       // the kernel's cipher failed its canary; see src/supervision/accelerator.ts
};
inline constexpr size_t kFallbacks = 8;
extern const char* const kFallbackNames[kFallbacks];

struct Promotion {
  enum class Outcome : uint8_t {
    Kernel,     // the kernel has both directions; free the session
    UserSpace,  // nothing has changed for the connection; `fallback` says why
    Broken,     // one direction is in the kernel, the other is not: reset the connection
  };
  Outcome outcome;
  Fallback fallback = Fallback::InstallFailed;
  const CipherSpec* cipher = nullptr;
  uint64_t transmit_sequence = 0;
  uint64_t receive_sequence = 0;
  // The secrets of later keys; null: this kernel accepts no new keys.
  std::unique_ptr<TrafficSecrets> secrets = nullptr;
};

// `unwanted`: a reason why the kernel must not get this connection, even if it could.
Promotion promote(int socket, const Session& session, const KernelSupport& kernel,
                  std::optional<Fallback> unwanted);

}  // namespace spliced::tls
