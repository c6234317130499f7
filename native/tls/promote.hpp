// SPDX-License-Identifier: Apache-2.0
// Moves a connection from OpenSSL to the kernel in three phases: validate every precondition, each
// with its reason; install (the system calls); commit, which cannot fail. When validation refuses,
// the connection is served by OpenSSL and the reason is counted.
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
  FragmentLength,  // the client takes only short records, and the kernel makes full ones
  Suspended,       // the kernel's cipher failed its canary; see src/supervision/accelerator.ts
};
inline constexpr size_t kFallbacks = 8;
extern const char* const kFallbackNames[kFallbacks];

struct Promotion {
  enum class Outcome : uint8_t {
    Kernel,     // the kernel has both directions; free the session
    UserSpace,  // nothing has changed for the connection; `fallback` says why
    Broken,     // one direction is in the kernel and the other is not: give the connection up
  };
  Outcome outcome;
  Fallback fallback = Fallback::InstallFailed;
  const CipherSpec* cipher = nullptr;
  uint64_t transmit_sequence = 0;
  uint64_t receive_sequence = 0;
  // For the keys that follow these; null: this kernel takes none.
  std::unique_ptr<TrafficSecrets> secrets = nullptr;
};

// `unwanted`: why the kernel is not to have this connection, whatever it could do.
Promotion promote(int socket, const Session& session, const KernelSupport& kernel,
                  std::optional<Fallback> unwanted);

}  // namespace spliced::tls
