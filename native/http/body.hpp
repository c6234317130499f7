// SPDX-License-Identifier: Apache-2.0
// Finds the content and the end of a body (RFC 9112 6 and 7.1), byte by byte as it arrives. Called
// by conn's read_body for a body to be discarded, and by its proxy for both directions. The bound
// of a body counts its bytes on the wire, chunk lines and trailers included, because a megabyte of
// one-byte chunks is no small body. Strict as head.hpp, and for the same reason: the next message
// begins where this body ends. No I/O and no exceptions; it allocates only for a trailer section
// that is to be kept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.hpp"

namespace spliced::http {

class BodyReader {
 public:
  enum class Verdict : uint8_t {
    More,      // all of the input belonged to the body, and the body goes on
    Done,      // the body has ended; what follows `consumed` is the next request
    TooLarge,  // the bound is exceeded, or will be
    Bad,       // not a chunked body: 400, then close
  };
  struct Result {
    Verdict verdict = Verdict::More;
    size_t consumed = 0;        // More, Done: bytes of the input; otherwise 0
    const char* why = nullptr;  // Bad: one static sentence for the log
  };

  struct Piece {
    Result result;
    std::string_view content;  // the last of the consumed bytes, as far as they are content
  };

  BodyReader() = default;  // no body: Done at once
  // The body of `head`, if it has one; `bytes_max` bounds the whole body on the wire.
  BodyReader(const RequestHead& head, uint64_t bytes_max);
  static BodyReader of_length(uint64_t bytes);  // with no other bound
  static BodyReader of_chunks();                // bounded only in its lines and trailers

  // Takes the next bytes of the connection: in order, each once. A verdict other than More is
  // final: later calls return the same.
  [[nodiscard]] Result feed(std::string_view input);
  // As feed(), but stops at the end of the first run of content, which it returns. More with
  // `consumed` < the input's size: call again with the rest.
  [[nodiscard]] Piece next(std::string_view input);
  bool done() const { return at_ == At::End; }
  // From now on the trailer section (RFC 9112 7.1.2) is appended there as it arrives, including its
  // empty line: at most kTrailerBytesMax bytes and kHeaderFieldsMax fields. Otherwise it is
  // discarded.
  void keep_trailers(std::string* section) { trailers_ = section; }

  // Bytes of content that must come before anything else: the rest of the body, or of the chunk.
  uint64_t content_left() const { return at_ == At::Length || at_ == At::Data ? left_ : 0; }
  // Accounts for content that went another way (splice).
  void pass(uint64_t bytes);

 private:
  enum class At : uint8_t {
    Length,        // content of Content-Length
    Size,          // chunk-size
    BeforeExt,     // BWS, then ";" or the line's end
    ExtNameFirst,  // BWS, then chunk-ext-name
    ExtName,
    AfterExtName,   // BWS, then "=", ";" or the line's end
    ExtValueFirst,  // BWS, then a token or a quoted-string
    ExtToken,
    ExtQuoted,
    ExtEscaped,     // behind a backslash
    AfterExtValue,  // behind the closing quote
    SizeLf,
    Data,
    DataCr,
    DataLf,
    FieldFirst,  // a trailer field, or the empty line
    FieldName,
    FieldValue,
    FieldLf,
    LastLf,
    End,
    TooLarge,
    Bad,
  };

  void enter(At next) { at_ = next; }
  void step(char c);
  void size_digit(char c);
  void after_size(char c);
  void extension(char c);
  void quoted(char c);
  void trailer(char c);
  void size_line_ends();
  void bad(const char* why);
  void count_line_byte();

  At at_ = At::End;
  uint64_t left_ = 0;    // of the content or of this chunk
  uint64_t budget_ = 0;  // bytes that the body may still have on the wire
  uint32_t line_bytes_ = 0;
  uint16_t fields_ = 0;
  uint8_t digits_ = 0;
  const char* why_ = nullptr;
  std::string* trailers_ = nullptr;
};

}  // namespace spliced::http
