// SPDX-License-Identifier: Apache-2.0
// Writes content in the chunked coding (RFC 9112 7.1) into a buffer. For both directions of a
// proxied request.
#pragma once
#include <cstring>
#include <string_view>

#include "base/assert.hpp"
#include "conn/buffer.hpp"

namespace spliced::conn {

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// "3FFF\r\n" before the content: four digits suffice for every buffer.
inline constexpr size_t kChunkPrefixBytes = 6;
static_assert(BufferPool::kBytes <= 0xffff);
// Prefix, the CRLF behind the content, and room for the last chunk.
inline constexpr size_t kChunkOverheadBytes = kChunkPrefixBytes + 2 + kLastChunk.size();

inline void append_text(Span& out, std::string_view text) {
  SPLICED_ASSERT(text.size() <= out.room());
  if (text.empty()) return;  // its data() may be null
  std::memcpy(out.tail(), text.data(), text.size());
  out.end += text.size();
}

// Makes a chunk of `bytes` of content that lie kChunkPrefixBytes behind the tail.
inline void close_chunk(Span& out, size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  char* const at = out.tail();
  for (int i = 0; i < 4; i++) at[i] = kDigits[bytes >> (12 - 4 * i) & 15];
  at[4] = '\r';
  at[5] = '\n';
  out.end += kChunkPrefixBytes + bytes;
  append_text(out, "\r\n");
}

// Appends nothing for empty content, because an empty chunk is the last one.
inline void append_chunk(Span& out, std::string_view content) {
  if (content.empty()) return;
  std::memcpy(out.tail() + kChunkPrefixBytes, content.data(), content.size());
  close_chunk(out, content.size());
}

}  // namespace spliced::conn
