// SPDX-License-Identifier: Apache-2.0
// What we use of nghttp2, as its documentation describes it (libnghttp2.so.14): declared here,
// since Node ships the library in its process and not its header, and a header of another version
// would say what that process may not have. test/native/h2_abi.cpp compares every line of it with
// the real header.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace spliced::h2::abi {

struct Session;
struct Callbacks;
struct Option;

inline constexpr int kWouldBlock = -504;
inline constexpr int kDeferred = -508;
inline constexpr int kTemporalFailure = -521;
inline constexpr int kPause = -526;
inline constexpr int kBadPreface = -903;
inline constexpr int kFlooded = -904;

inline constexpr uint32_t kDataEof = 1, kDataNoEndStream = 2, kDataNoCopy = 4;

inline constexpr uint8_t kFlagEndStream = 1, kFlagEndHeaders = 4, kFlagAck = 1;
inline constexpr int kCategoryRequest = 0;  // of a HEADERS frame

inline constexpr int32_t kSettingMaxConcurrentStreams = 3, kSettingInitialWindowSize = 4,
                         kSettingMaxHeaderListSize = 6, kSettingEnableConnectProtocol = 8,
                         kSettingNoRfc7540Priorities = 9;

struct Field {
  uint8_t *name, *value;
  size_t name_bytes, value_bytes;
  uint8_t flags;
};

struct FrameHead {
  size_t length;
  int32_t stream_id;
  uint8_t type, flags, reserved;
};

// The beginning of every member of the union of frames; behind it, for HEADERS, is what only the
// category is read of.
struct PrioritySpec {
  int32_t stream_id, weight;
  uint8_t exclusive;
};
struct Headers {
  FrameHead head;
  size_t padding;
  PrioritySpec priority;
  Field* fields;
  size_t count;
  int category;
};
struct Reset {
  FrameHead head;
  uint32_t error_code;
};
struct Extension {
  FrameHead head;
  void* payload;
};
struct PriorityUpdate {
  int32_t stream_id;
  uint8_t* value;
  size_t value_bytes;
};
union Frame {
  FrameHead head;
  Headers headers;
  Reset reset;
  Extension extension;
};

struct Setting {
  int32_t id;
  uint32_t value;
};

struct ExtendedPriority {
  uint32_t urgency;
  int incremental;
};

union DataSource {
  int fd;
  void* pointer;
};
using ReadBody = ssize_t (*)(Session*, int32_t, uint8_t*, size_t, uint32_t*, DataSource*, void*);
struct DataProvider {
  DataSource source;
  ReadBody read;
};

using OnBeginFrame = int (*)(Session*, const FrameHead*, void*);
using OnFrame = int (*)(Session*, const Frame*, void*);
using OnField = int (*)(Session*, const Frame*, const uint8_t*, size_t, const uint8_t*, size_t,
                        uint8_t, void*);
using OnData = int (*)(Session*, uint8_t, int32_t, const uint8_t*, size_t, void*);
using OnClose = int (*)(Session*, int32_t, uint32_t, void*);
using SendData = int (*)(Session*, Frame*, const uint8_t*, size_t, DataSource*, void*);

}  // namespace spliced::h2::abi
