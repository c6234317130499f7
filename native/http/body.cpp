// SPDX-License-Identifier: Apache-2.0
// The end of a body; see body.hpp. A state for each place in the grammar of RFC 9112 7.1:
//
//   chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF ) 1*"0" [ chunk-ext ] CRLF
//                  *( field-line CRLF ) CRLF
//   chunk-ext    = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
#include "http/body.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr uint8_t kSizeDigitsMax = 16;  // of 64 bits

constexpr const char* kBadLine = "A chunk's line is not a size with well-formed extensions.";

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

BodyReader::BodyReader(const RequestHead& head, uint64_t bytes_max) : budget_(bytes_max) {
  if (!head.has_body) return;
  at_ = head.chunked ? At::Size : At::Length;
  left_ = head.content_length;
  if (!head.chunked && left_ > budget_) at_ = At::TooLarge;
}

BodyReader BodyReader::of_length(uint64_t bytes) {
  BodyReader body;
  body.at_ = bytes > 0 ? At::Length : At::End;
  body.left_ = bytes;
  body.budget_ = UINT64_MAX;
  return body;
}

BodyReader BodyReader::of_chunks() {
  BodyReader body;
  body.at_ = At::Size;
  body.budget_ = UINT64_MAX;
  return body;
}

void BodyReader::pass(uint64_t bytes) {
  SPLICED_ASSERT(bytes <= content_left());
  left_ -= bytes;
  budget_ -= bytes;
  if (left_ == 0 && bytes > 0) at_ = at_ == At::Length ? At::End : At::DataCr;
}

BodyReader::Piece BodyReader::next(std::string_view input) {
  size_t i = 0;
  std::string_view content;
  while (i < input.size() && at_ < At::End && content.empty()) {
    if (at_ == At::Length || at_ == At::Data) {
      const auto bytes = static_cast<size_t>(std::min<uint64_t>(left_, input.size() - i));
      content = input.substr(i, bytes);
      pass(bytes);
      i += bytes;
    } else if (budget_ == 0) {
      at_ = At::TooLarge;
    } else {
      budget_--;
      step(input[i++]);
    }
  }
  if (at_ == At::TooLarge) return {{Verdict::TooLarge, 0, nullptr}, {}};
  if (at_ == At::Bad) return {{Verdict::Bad, 0, why_}, {}};
  return {{at_ == At::End ? Verdict::Done : Verdict::More, i, nullptr}, content};
}

BodyReader::Result BodyReader::feed(std::string_view input) {
  size_t consumed = 0;
  for (;;) {
    Result result = next(input.substr(consumed)).result;
    if (result.verdict == Verdict::TooLarge || result.verdict == Verdict::Bad) return result;
    consumed = result.consumed += consumed;
    if (result.verdict == Verdict::Done || consumed == input.size()) return result;
  }
}

void BodyReader::bad(const char* why) {
  at_ = At::Bad;
  why_ = why;
}

// Chunk lines and trailer sections have bounds of their own.
void BodyReader::count_line_byte() {
  const bool in_trailer = at_ >= At::FieldFirst;
  if (++line_bytes_ > (in_trailer ? limits::kTrailerBytesMax : limits::kChunkLineBytesMax))
    bad(in_trailer ? "The trailer section is too long." : "A chunk's line is too long.");
}

void BodyReader::step(char c) {
  switch (at_) {
    case At::Size:
      size_digit(c);
      break;
    case At::SizeLf:
      if (c != '\n') return bad("A chunk's line does not end in CRLF.");
      return size_line_ends();
    case At::DataCr:
      if (c != '\r') return bad("A chunk is longer than its size.");
      at_ = At::DataLf;
      return;
    case At::DataLf:
      if (c != '\n') return bad("A chunk does not end in CRLF.");
      at_ = At::Size;
      return;
    case At::FieldFirst:
    case At::FieldName:
    case At::FieldValue:
    case At::FieldLf:
    case At::LastLf:
      trailer(c);
      break;
    default:
      extension(c);
      break;
  }
  if (at_ < At::End) count_line_byte();
}

// Not parse_number(): hexadecimal, and a number that does not fit is refused, not saturated.
void BodyReader::size_digit(char c) {
  const int value = hex_value(c);
  if (value < 0) {
    if (digits_ == 0) return bad(kBadLine);
    return after_size(c);
  }
  if (++digits_ > kSizeDigitsMax) return bad("A chunk's size has too many digits.");
  left_ = left_ << 4 | static_cast<uint64_t>(value);
}

// Behind a chunk-size, a chunk-ext-name or a chunk-ext-val.
void BodyReader::after_size(char c) {
  if (c == '\r') return enter(At::SizeLf);
  if (c == ';') return enter(At::ExtNameFirst);
  if (is_blank(c)) return enter(At::BeforeExt);
  bad(kBadLine);
}

// Where an extension may end, and what may follow.
void BodyReader::extension(char c) {
  switch (at_) {
    case At::BeforeExt:  // RFC 9112 7.1.1: no blank without an extension behind it
      if (c == ';') return enter(At::ExtNameFirst);
      break;
    case At::ExtNameFirst:
      if (is_token_char(c)) return enter(At::ExtName);
      break;
    case At::ExtName:
      if (is_token_char(c)) return;
      if (c == '=') return enter(At::ExtValueFirst);
      if (is_blank(c)) return enter(At::AfterExtName);
      return after_size(c);
    case At::AfterExtName:
      if (c == '=') return enter(At::ExtValueFirst);
      if (c == ';') return enter(At::ExtNameFirst);
      break;
    case At::ExtValueFirst:
      if (c == '"') return enter(At::ExtQuoted);
      if (is_token_char(c)) return enter(At::ExtToken);
      break;
    case At::ExtToken:
      if (is_token_char(c)) return;
      return after_size(c);
    case At::AfterExtValue:
      return after_size(c);
    default:  // ExtQuoted, ExtEscaped
      return quoted(c);
  }
  if (!is_blank(c)) bad(kBadLine);
}

// RFC 9110 5.6.4.
void BodyReader::quoted(char c) {
  if (is_control(c) && c != '\t') return bad(kBadLine);
  if (at_ == At::ExtEscaped) return enter(At::ExtQuoted);
  if (c == '\\') return enter(At::ExtEscaped);
  if (c == '"') return enter(At::AfterExtValue);
}

void BodyReader::size_line_ends() {
  line_bytes_ = 0;
  digits_ = 0;
  if (left_ == 0) {
    at_ = At::FieldFirst;
  } else {
    at_ = left_ > budget_ ? At::TooLarge : At::Data;
  }
}

// RFC 9112 7.1.2 and 5: as in a head.
void BodyReader::trailer(char c) {
  if (trailers_ != nullptr) trailers_->push_back(c);
  switch (at_) {
    case At::FieldFirst:
      if (c == '\r') {
        at_ = At::LastLf;
      } else if (!is_token_char(c)) {
        bad("A trailer field's name is not a token.");
      } else if (++fields_ > limits::kHeaderFieldsMax) {
        bad("The message has too many trailer fields.");
      } else {
        at_ = At::FieldName;
      }
      return;
    case At::FieldName:
      if (c == ':') {
        at_ = At::FieldValue;
      } else if (!is_token_char(c)) {
        bad("A trailer field's name is not a token.");
      }
      return;
    case At::FieldValue:
      if (c == '\r') {
        at_ = At::FieldLf;
      } else if (is_control(c) && c != '\t') {
        bad("A trailer field has a control character.");
      }
      return;
    default:  // FieldLf, LastLf
      if (c != '\n') return bad("A line of the trailer section does not end in CRLF.");
      at_ = at_ == At::FieldLf ? At::FieldFirst : At::End;
      return;
  }
}

}  // namespace spliced::http
