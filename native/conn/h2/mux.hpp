// SPDX-License-Identifier: Apache-2.0
// What a connection has that agreed on HTTP/2: its frames, its streams, and whose turn it is at the
// wire. `output` of the connection and its socket are one order of bytes; a DATA frame's header is
// written when its payload is in hand, and nobody's bytes come between the two.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "conn/h2/batch.hpp"
#include "conn/h2/early_records.hpp"
#include "conn/h2/stream.hpp"
#include "conn/services.hpp"
#include "h2/session.hpp"
#include "http/request_fields.hpp"
#include "tls/served_name.hpp"

namespace spliced::conn {

// So much may be done at once, and again so much a second; see frames_allowed in frames.cpp.
class Allowance {
 public:
  Allowance(uint32_t most, uint32_t per_s) : most_(most), per_s_(per_s), left_(most) {}
  // False: it is used up.
  bool take(uint64_t now_ms) {
    if (now_ms > at_ms_) {
      const uint64_t more = (now_ms - at_ms_) * per_s_ / 1000;
      if (more > 0) at_ms_ = now_ms;
      give(more);
    }
    if (left_ == 0) return false;
    left_--;
    return true;
  }
  void give(uint64_t more) { left_ = more < most_ - left_ ? left_ + more : most_; }

 private:
  const uint64_t most_;
  const uint32_t per_s_;
  uint64_t left_;
  uint64_t at_ms_ = 0;
};

// Of a route with a rate (pace.cpp): a frame is no longer than what goes in this time; who was
// woken late, or has sent nothing for a while, may send so much more at once.
inline constexpr uint64_t kPacedFrameMs = 100;
inline constexpr uint64_t kPacedBurstMs = 50;

struct Mux final : h2::Events {
  Mux(Services& services, Connection& connection, std::unique_ptr<const tls::ServedName> made_for)
      : s(services), c(connection), name(std::move(made_for)) {}

  Services& s;
  Connection& c;
  const std::unique_ptr<const tls::ServedName> name;
  std::unique_ptr<h2::Session> session;
  std::vector<Stream*> streams;  // open ones, and closed ones of which the ring has something
  std::vector<Stream*> ready;    // to be run
  std::vector<Stream*> waiting;  // complete, but for the buffers that they need; the oldest first
  uint32_t open = 0;             // of the streams, those that are not closed
  http::RequestFields fields;    // of the head that is coming: one at a time (RFC 9113 4.3)

  std::string_view unsent;    // frames that did not fit into the output
  Stream* sender = nullptr;   // whose DATA frame is on its way,
  size_t frame_left = 0;      // and what is missing of it
  Batch batch;                // or frames of several; they go before the output
  size_t unwaited_bytes = 0;  // of files, since the last send that waited for the cipher
  EarlyRecords early;
  uint32_t pipe_waiters = 0;     // streams that want a pipe
  uint32_t upload_windows = 0;   // that the connection's was widened by
  bool frame_broken = false;     // its file was cut: it is filled up, and the stream reset
  bool frame_announced = false;  // on_data_frame() was called,
  size_t frame_bytes = 0;        // for so many bytes with its header
  bool busy = false;             // something is to be sent: the peer's time runs
  uint64_t lane_free_us = 0;     // the next frame of a route with a rate may go: pace.cpp
  bool lane_wanted = false;      // by streams that have `wants_lane`

  Allowance frames{limits::kIdleFramesMax, limits::kIdleFramesPerS};
  Allowance resets{limits::kStreamResetsMax, limits::kStreamResetsPerS};
  // What has come of a header block, frame by frame; its time runs while it is not whole.
  struct Following {
    size_t preface_left = 24;  // RFC 9113 3.4
    uint8_t head[h2::kFrameHeadBytes] = {};
    size_t head_bytes = 0, payload_left = 0;
    size_t block_bytes = 0;  // of the block, as it is packed
    bool in_block = false;   // END_HEADERS has not come
    bool last = false;       // this frame has it
  } following;
  size_t unpacked_bytes = 0;      // of the last header block
  uint64_t head_began_ms = 0;     // 0: no header block is under way
  uint64_t end_announced_ms = 0;  // 0: the end was not announced
  bool going_away = false;        // no stream comes any more
  bool terminated = false;        // GOAWAY with an error

  // h2::Events; frames.cpp and body.cpp.
  void on_frame(h2::FrameType type, uint8_t flags, size_t bytes) override;
  void* on_head_begun(int32_t id) override;
  void on_field(std::string_view name, std::string_view value) override;
  void on_dropped_field(size_t bytes) override;
  void on_head(void* stream, bool ends) override;
  void on_data(void* stream, size_t bytes, const char* data) override;
  void on_end(void* stream) override;
  void on_head_sent(void* stream) override;
  void on_response_sent(void* stream) override;
  void on_closed(void* stream, uint32_t code) override;
  void on_reset(bool ours, uint32_t code) override;
  h2::Piece next_piece(void* stream, size_t most) override;
  void on_data_frame(void* stream, const char* head, size_t bytes) override;

  void queue(Stream& stream);
  void wake(Stream& stream);  // its response may go on
  void flood(Http2Flood kind);
  void count_field(size_t bytes);
  void follow(std::string_view bytes);
  void end_gracefully();  // no stream comes any more; those that are here end
  // Those that wait for one of the pipes, if there is one. True: somebody did.
  bool give_pipes();
  bool has_unsent() const;
  // Files are being sent by an asynchronous cipher, and nothing has waited for it: what follows is
  // sent from memory, which waits. Else only a timer would tell when the window has room again
  // (splice.cpp).
  bool owes_wait() const;

  // pace.cpp. False: its route's rate holds it back, and give_lane() wakes it. Of a frame no more
  // than `most` goes then.
  bool may_send(Stream& stream, size_t& most);
  void charge_lane(const Stream& stream, size_t bytes);  // they have gone
  void give_lane();
  uint64_t lane_due_ms() const;  // 0: nobody waits for it
};

// streams.cpp. The connection agreed on HTTP/2: -> AwaitStreams.
void begin_http2(Services& s, Connection& c, std::unique_ptr<const tls::ServedName> name);
// Runs a stream as far as it comes, and submits its response.
void run_stream(Services& s, Stream& stream);
// The connection is over: what has come of uploads is written nevertheless. True: the ring has it.
bool write_streams_rest(Services& s, Mux& m);
void destroy_streams(Services& s, Mux& m);
// requests.cpp. A request is complete, or nothing more of it is waited for.
void begin_stream(Services& s, Stream& stream);
// Of those that wait, as many as may have buffers.
void begin_waiting(Services& s, Mux& m);
// answers.cpp. The head in the stream's output goes out, and what is behind it.
void submit_response(Services& s, Stream& stream);
// Its trailers, behind the last frame of its body, which is the next one.
void submit_trailers(Mux& m, Stream& stream);
// wire.cpp. False: the state has changed. `more`: others have their turn first.
bool send_frames(Services& s, Connection& c, bool& more);
// times.cpp: when somebody must look again, and what is then overdue.
void arm_http2(Services& s, Connection& c);

}  // namespace spliced::conn
