// SPDX-License-Identifier: Apache-2.0
// What the peer's frames do: streams begin, their heads are collected, their bodies counted, and
// whoever sends too much of what asks for nothing is told to calm down (RFC 9113 10.5).
#include <algorithm>
#include <utility>

#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

using h2::Code;
using h2::FrameType;

constexpr uint8_t kEndStream = 0x1, kEndHeaders = 0x4;

Stream& stream_of(void* stream) {
  return *static_cast<Stream*>(stream);
}

// Behind so much of a body that nobody takes, the answer does not wait for the rest.
bool is_too_long(const Services& s, const Stream& st) {
  return st.discarded_bytes > s.options.discarded_body_bytes_max;
}

}  // namespace

const char* const kHttp2FloodNames[kHttp2Floods] = {"frames", "resets", "headers", "answers"};

void Mux::flood(Http2Flood kind) {
  if (terminated) return;
  terminated = true;
  s.figures.http2_floods[static_cast<size_t>(kind)].add();
  if (c.record) c.record->failure = kHttp2FloodNames[static_cast<size_t>(kind)];
  session->terminate(Code::EnhanceYourCalm);
}

// nghttp2 tells when a header block is whole, and nothing of one that comes byte by byte.
void Mux::follow(std::string_view bytes) {
  Following& f = following;
  while (!bytes.empty()) {
    size_t taken = 1;
    if (f.preface_left > 0) {
      taken = std::min(f.preface_left, bytes.size());
      f.preface_left -= taken;
    } else if (f.payload_left > 0) {
      taken = std::min(f.payload_left, bytes.size());
      f.payload_left -= taken;
    } else {
      f.head[f.head_bytes++] = static_cast<uint8_t>(bytes.front());
    }
    bytes.remove_prefix(taken);
    if (f.head_bytes == h2::kFrameHeadBytes) {
      f.head_bytes = 0;
      f.payload_left = size_t{f.head[0]} << 16 | size_t{f.head[1]} << 8 | f.head[2];
      const auto type = static_cast<FrameType>(f.head[3]);
      if (type == FrameType::Headers) {
        f.in_block = true;
        f.block_bytes = 0;
        head_began_ms = s.now_ms;
      }
      const bool of_block =
          f.in_block && (type == FrameType::Headers || type == FrameType::Continuation);
      if (of_block) f.block_bytes += f.payload_left;
      if (f.block_bytes > limits::kHeaderBlockBytesMax) flood(Http2Flood::Headers);
      f.last = of_block && (f.head[4] & kEndHeaders) != 0;
    }
    if (!f.last || f.payload_left > 0) continue;
    f.last = f.in_block = false;
    head_began_ms = 0;
  }
}

void Mux::on_frame(FrameType type, uint8_t flags, size_t bytes) {
  bool idle = true;
  switch (type) {
    case FrameType::Headers:
      unpacked_bytes = 0;
      [[fallthrough]];
    case FrameType::Continuation:
      idle = bytes == 0 || (flags & kEndHeaders) == 0;
      break;
    case FrameType::Data:
      idle = bytes == 0 && (flags & kEndStream) == 0;
      break;
    case FrameType::Reset:  // on_reset() counts
      idle = false;
      break;
    default:
      break;
  }
  if (idle && !frames.take(s.now_ms)) flood(Http2Flood::Frames);
}

void Mux::on_reset(bool ours, uint32_t code) {
  const bool orderly = ours && code == static_cast<uint32_t>(Code::NoError);
  (ours ? s.figures.streams_reset_by_us : s.figures.streams_reset_by_peer).add();
  if (!orderly && !resets.take(s.now_ms)) flood(Http2Flood::Resets);
}

// Those that were reset count for as long as the ring has something of them.
void* Mux::on_head_begun(int32_t id) {
  if (terminated || streams.size() >= s.options.streams_max || !s.stream_slots.has_room()) {
    s.figures.streams_refused.add();
    return nullptr;
  }
  fields = http::RequestFields();
  StreamSlot& place = s.stream_slots.take();
  place.stream = std::make_unique<Stream>(c, place.slot, place.generation, id);
  streams.push_back(place.stream.get());
  open++;
  c.requests++;
  s.figures.streams_open.add();
  s.figures.streams_ever.add();
  return place.stream.get();
}

// Whether it is kept or not: unpacking alone is work.
void Mux::count_field(size_t bytes) {
  unpacked_bytes += bytes;
  if (unpacked_bytes > limits::kHeaderBlockBytesMax) flood(Http2Flood::Headers);
}

void Mux::on_dropped_field(size_t bytes) {
  count_field(bytes);
}

void Mux::on_field(std::string_view name, std::string_view value) {
  fields.add(name, value, s.options.head.head_bytes_max);
  count_field(name.size() + value.size());
}

void Mux::on_head(void* stream, bool ends) {
  Stream& st = stream_of(stream);
  st.ended = ends;
  st.request.began_ms = s.now_ms;
  run_stream(s, st);  // now: who takes what follows?
}

void Mux::on_data(void* stream, size_t bytes, const char* data) {
  Stream& st = stream_of(stream);
  if (st.keeps_body) {
    st.body.append(data, bytes);
    return queue(st);
  }
  st.discarded_bytes += bytes;
  if (is_too_long(s, st) && st.state != State::Linger) {  // its window stays shut until the answer
    st.held_bytes += bytes;
    if (st.state == State::ReadBody) queue(st);
    return;
  }
  session->consume(st.id, bytes);
}

void Mux::on_end(void* stream) {
  Stream& st = stream_of(stream);
  st.ended = true;
  if (st.state == State::ReadBody || st.keeps_body) queue(st);
}

// Of an interim response: what follows it may come.
void Mux::on_head_sent(void* stream) {
  Stream& st = stream_of(stream);
  if (std::exchange(st.informing, false)) queue(st);
}

// The response is complete, and what else of the request comes is not wanted. RFC 9113 8.1 would
// have it reset at once, with NO_ERROR; curl 7.88 and Node 20 then lose the response that came
// before. So the rest is taken and forgotten for a while first.
void Mux::on_response_sent(void* stream) {
  Stream& st = stream_of(stream);
  if (st.ended || st.state == State::Join) return;
  release_exchange(s, st.request);
  session->consume(st.id, st.body.size() + st.held_bytes);
  st.held_bytes = 0;
  std::string().swap(st.body);
  st.keeps_body = false;
  enter(s, st, State::Linger);
}

void Mux::on_closed(void* stream, uint32_t) {
  Stream& st = stream_of(stream);
  st.closed = true;
  open--;
  s.figures.streams_open.sub();
  if (st.state != State::Join) enter(s, st, State::Join);
  waiting.erase(std::remove(waiting.begin(), waiting.end(), &st), waiting.end());
}

}  // namespace spliced::conn
