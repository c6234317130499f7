// SPDX-License-Identifier: Apache-2.0
// The frames and header fields of one HTTP/2 connection (RFC 9113, RFC 7541), by nghttp2: bytes
// that came go in, bytes to be sent come out, and in between are the events. The payload of a DATA
// frame passes nowhere here: its header is given to the owner, who sends both. No I/O. One thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace spliced::h2 {

// Whether HTTP/2 can be spoken in this process, and why not; "": it can.
const char* unavailable_because();

// RFC 9113 7.
enum class Code : uint32_t {
  NoError = 0x0,
  ProtocolError = 0x1,
  InternalError = 0x2,
  RefusedStream = 0x7,
  Cancel = 0x8,
  EnhanceYourCalm = 0xb,
};

enum class FrameType : uint8_t {
  Data = 0,
  Headers = 1,
  Priority = 2,
  Reset = 3,
  Settings = 4,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
};

struct Field {
  std::string_view name, value;
};

inline constexpr size_t kFrameHeadBytes = 9;

// What is next of a response's body.
struct Piece {
  enum class Verdict : uint8_t {
    Ready,   // `bytes` of it, which follow as soon as on_data_frame() was called
    Later,   // nothing now: Session::resume() says when
    Failed,  // never: the stream is reset with InternalError
  };
  Verdict verdict = Verdict::Later;
  size_t bytes = 0;
  bool ends = false;     // it has no more
  bool trailed = false;  // ... but trailers, for which Session::trail() was called
};

// What the peer does. `stream` is what on_head_begun() returned; a null pointer is none of ours.
class Events {
 public:
  virtual ~Events() = default;
  // Every frame's header, before the frame.
  virtual void on_frame(FrameType type, uint8_t flags, size_t bytes) = 0;
  // A request. Null: refused (RefusedStream), nothing of it was looked at.
  virtual void* on_head_begun(int32_t id) = 0;
  // Of the request that began last: its fields come together (RFC 9113 4.3).
  virtual void on_field(std::string_view name, std::string_view value) = 0;
  // Of trailers, or of a stream that is none of ours: nobody gets it.
  virtual void on_dropped_field(size_t bytes) = 0;
  virtual void on_head(void* stream, bool ends) = 0;
  virtual void on_data(void* stream, size_t bytes, const char* data) = 0;
  virtual void on_end(void* stream) = 0;            // of the request, behind data or trailers
  virtual void on_head_sent(void* stream) = 0;      // of a response, interim or not
  virtual void on_response_sent(void* stream) = 0;  // its last frame went out
  // It is over, for both; no event of it comes behind this one.
  virtual void on_closed(void* stream, uint32_t code) = 0;
  virtual void on_reset(bool ours, uint32_t code) = 0;  // either side's RST_STREAM
  // The next piece, of at most `most` bytes; then the frame's header, at once.
  virtual Piece next_piece(void* stream, size_t most) = 0;
  virtual void on_data_frame(void* stream, const char* head, size_t bytes) = 0;
};

// Flooded: too many answers wait. Broken: it does not begin as HTTP/2 does, or there is no memory.
enum class Taken : uint8_t { All, Flooded, Broken };

struct Settings {
  uint32_t streams_max = 0;
  uint32_t header_list_bytes_max = 0;
  size_t sent_header_block_bytes_max = 0;  // as nghttp2 reckons; of a longer one nothing is sent
  uint32_t stream_window_bytes = 0, connection_window_bytes = 0;
  bool connect_protocol = false;  // RFC 8441 3
  size_t answers_max = 0;         // to PING and SETTINGS that wait to be sent
};

class Session {
 public:
  // Null without memory, or where unavailable_because() says so. `events` outlives it.
  static std::unique_ptr<Session> start(Events& events, const Settings& settings);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] Taken receive(std::string_view bytes);
  // The next bytes to send, whole frames or pieces of them, valid until the next call. Empty: there
  // are none for now, or on_data_frame() was called, or failed() says that it cannot go on.
  std::string_view next();
  bool failed() const { return failed_; }
  // Neither: GOAWAY is sent, and nothing is left to do.
  bool wants_to_read() const;
  bool wants_to_write() const;

  // An interim response (RFC 9110 15.2).
  void inform(int32_t id, const std::vector<Field>& fields);
  // The fields in lower case or not; without a body the stream ends with them.
  bool respond(int32_t id, const std::vector<Field>& fields, bool has_body);
  // Behind the body, whose last piece is being asked for.
  void trail(int32_t id, const std::vector<Field>& fields);
  void resume(int32_t id);
  void reset(int32_t id, Code code);
  void consume(int32_t id, size_t bytes);   // so much data was taken: its window opens again
  void consume_for_others(size_t bytes);    // ... that of the connection alone
  void widen(int32_t id, uint32_t bytes);   // its window, to so many; id 0: the connection's
  bool window_is_closed(int32_t id) const;  // the peer's, of the stream or of the connection
  // Every stream that comes is still served; then those that have begun, and no other.
  void announce_end();
  void go_away();
  void terminate(Code code);  // GOAWAY, and nothing else

 private:
  Session() = default;
  friend struct Glue;
  void share_fairly(int32_t id);

  void* session_ = nullptr;
  Events* events_ = nullptr;
  bool failed_ = false;
};

}  // namespace spliced::h2
