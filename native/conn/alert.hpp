// SPDX-License-Identifier: Apache-2.0
// Constants of the TLS alerts and handshake messages that a kernel-TLS socket passes up (RFC 8446 6
// and 4, RFC 5246 7.2 and 7.4).
#pragma once
#include <cstdint>

namespace spliced::conn::alert {

inline constexpr uint8_t kWarning = 1, kFatal = 2;

inline constexpr uint8_t kCloseNotify = 0;
inline constexpr uint8_t kUnexpectedMessage = 10;
inline constexpr uint8_t kBadRecordMac = 20;
inline constexpr uint8_t kRecordOverflow = 22;
inline constexpr uint8_t kIllegalParameter = 47;
inline constexpr uint8_t kDecodeError = 50;
inline constexpr uint8_t kProtocolVersion = 70;
inline constexpr uint8_t kInternalError = 80;
inline constexpr uint8_t kUserCanceled = 90;
inline constexpr uint8_t kNoRenegotiation = 100;

inline constexpr uint8_t kMessageClientHello = 1;
inline constexpr uint8_t kMessageKeyUpdate = 24;
inline constexpr uint8_t kUpdateNotRequested = 0, kUpdateRequested = 1;

}  // namespace spliced::conn::alert
