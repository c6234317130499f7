// SPDX-License-Identifier: Apache-2.0
// Fuzzes a whole connection with HTTP/2: the product's conn/ and h2/ with nghttp2, over the fakes
// of test/native. The input is a script: three bytes for the world, then steps of the client, its
// network, the cipher, the disk, a backend and the clock; the frames of the client are the
// fuzzer's, byte by byte. What holds at the end: what the server said is HTTP/2 (http2_wire.hpp)
// and within the client's windows, a file that came whole is the file, memory and the TLS layer's
// backlog have their bounds, the connection ends by itself where it is left alone, and the accounts
// are square (World::settle_accounts).
// The fakes' headers have checks for the scenarios; there is no doctest here.
#define DOCTEST_CONFIG_DISABLE
#include "fakes/http2.hpp"

#include <errno.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "conn/h2/mux.hpp"
#include "fakes/part.hpp"
#include "fakes/proxied.hpp"
#include "http2_wire.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

// The second goes in frames of pages, and whole into the windows that there are without a word of
// the client.
constexpr std::pair<const char*, size_t> kFiles[] = {
    {"small", 3000}, {"medium", 60'000}, {"large", 90'000}};
constexpr size_t kPartBytes = 400'000;
// A script takes milliseconds: what comes in small records, and what passes in steps of a tick.
constexpr size_t kPiecemealBytesMax = 1000;
constexpr uint64_t kPassedMsMax = 60'000;
constexpr uint64_t kAloneMs = 400'000;  // longer than any time-out, one after the other

// The input; behind its end it says 0.
class Script {
 public:
  explicit Script(std::string_view text) : left_(text) {}
  bool over() const { return left_.empty(); }
  uint8_t byte() { return static_cast<uint8_t>(bytes(1)[0]); }
  std::string bytes(size_t count) {
    std::string taken(left_.substr(0, std::min(count, left_.size())));
    left_.remove_prefix(taken.size());
    taken.resize(count);
    return taken;
  }
  uint32_t number32() { return static_cast<uint32_t>(fuzz::number_at(bytes(4), 0, 4)); }

 private:
  std::string_view left_;
};

http::Route application() {
  http::Route route = proxy_route();
  route.prefix = "app";
  return route;
}

class Play {
 public:
  explicit Play(std::string_view input) : script_(input), part_(world_, kPartBytes) {
    for (const auto& [name, bytes] : kFiles) world_.site.write(name, bytes);
    world_.site.write("cut", 90'000);
    world_.serve({http::Route(), application()});
    const uint8_t mood = script_.byte(), buffers = script_.byte(), network = script_.byte();
    world_.ring->hold_file_operations = (mood & 1) != 0;
    world_.ring->sends_at_once = (mood & 2) != 0;
    world_.ring->hold_cancels = (mood & 4) != 0;
    world_.support.sendfile_waits = (mood & 8) != 0;
    kernel().residency = static_cast<Kernel::Residency>(mood >> 4 & 3);
    is_left_alone_ = (mood & 64) != 0;
    record_bytes_ = (mood & 128) != 0 ? 7 : 16'384;
    peer_ = world_.connect([&](Socket& socket, TlsScript& tls) {
      tls.http2 = true;
      if ((network & 1) != 0) tls.outcome = tls::Promotion::Outcome::UserSpace;
      socket.asynchronous_cipher = (network & 2) != 0;
      socket.leaves_unpushed = (network & 4) != 0;
      if ((buffers & 1) != 0) socket.round_trip_us = 2 * limits::kFarRoundTripUs;
      if ((network & 8) != 0) socket.take_at_most = 100 + 200 * (network >> 4);
      socket.send_buffer_bytes = 1000 + 700 * size_t{buffers};
    });
    peer_.sends(kPreface);
  }

  void run() {
    while (!script_.over()) {
      step();
      check_bounds();
    }
    if (is_left_alone_) leave_alone();
    check_client_side();
    world_.ring->hold_file_operations = world_.ring->hold_cancels = false;
    const std::string faults = part_.settle();
    if (!faults.empty()) std::fprintf(stderr, "%s", faults.c_str());
    INVARIANT(faults.empty());
  }

 private:
  Socket& socket() { return peer_.socket(); }

  void say(const std::string& bytes) {
    if (socket().closed()) return;
    said_ += bytes;
    const size_t record = bytes.size() > kPiecemealBytesMax ? 16'384 : record_bytes_;
    for (size_t at = 0; at < bytes.size(); at += record) peer_.sends(bytes.substr(at, record));
  }

  uint32_t stream() {
    const uint8_t byte = script_.byte();
    if (byte < 0x80) return byte;
    return byte == 0xff ? 0x7fffffff : next_ + 2 * (byte - 0x80u);
  }

  void say_frame() {
    const uint8_t type = script_.byte() % 18, flags = script_.byte();
    const uint32_t id = stream();
    const uint8_t bytes = script_.byte();
    // A large one is filler, for the windows.
    const std::string payload =
        bytes >= 250 ? std::string(4096u * (bytes - 249), 'u') : script_.bytes(bytes);
    say(frame(type, flags, id, payload.substr(0, 16'384)));
    if (type == fuzz::kHeaders && id >= next_) next_ = (id | 1) + 2;
  }

  // A request as clients make them, on a new stream.
  void ask() {
    const uint8_t which = script_.byte();
    if (next_ > 0x7ffffff0) return;
    const uint32_t id = next_;
    next_ += 2;
    const int flags = 4 | (which & 1);
    switch (which >> 1 & 7) {
      case 0:
        return say(frame(1, flags, id, request_fields("GET", "/small")));
      case 1:
        return say(frame(1, flags, id, request_fields("GET", "/medium")));
      case 2:
        return say(frame(1, flags, id, request_fields("GET", "/large")));
      case 3:
        return say(frame(1, flags, id, request_fields("GET", "/cut")));
      case 4:
        return say(frame(1, flags, id, request_fields("POST", "/app/x")));
      case 5:
        return say(frame(1, flags, id, request_fields("GET", "/app/events")));
      case 6:
        return say(frame(
            1, flags, id,
            request_fields("PUT", "/.spliced/upload/" + kId) +
                field("content-length", std::to_string(kPartBytes - part_.ticket->offset()))));
      default:
        return say(frame(1, flags, id,
                         request_fields("GET", "/large") + field("range", "bytes=9-99,80000-")));
    }
  }

  void disk() {
    const uint8_t how = script_.byte();
    FakeRing& ring = *world_.ring;
    if (how == 255) return world_.site.truncate("cut", 40'000);
    if (ring.held() == 0) return;
    const size_t index = how / 8 % ring.held();
    if (how % 8 == 7) {
      faulty_ = true;
      return ring.fail(index, EIO);
    }
    const bool moves = ring.held_kind(index) == ring::Kind::FillPipe ||
                       ring.held_kind(index) == ring::Kind::DrainPipe;
    if (moves && how % 8 == 6) return ring.finish_short(index, 1 + how * 30u);
    ring.finish(index);
  }

  void backend() {
    const uint8_t what = script_.byte();
    const auto& sockets = kernel().backend.sockets;
    if (sockets.empty()) return;
    Socket& its = kernel().at(sockets[sockets.size() - 1 - what / 16 % sockets.size()]);
    if (its.closed()) return;
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string chunked = ok + "Transfer-Encoding: chunked\r\n";
    switch (what % 16) {
      case 0:
        return its.peer_sends(ok + "Content-Length: 5\r\n\r\nhello");
      case 1:
        return its.peer_sends(ok + "Content-Length: 60000\r\n\r\n");
      case 2:
        return its.peer_sends(chunked + "\r\n4000\r\n");
      case 3:
        return its.peer_sends(chunked + "Content-Type: text/event-stream\r\n\r\n2\r\nab\r\n");
      case 4:
        return its.peer_sends(ok + "\r\n");
      case 5:
        return its.peer_sends("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
      case 6:
        return its.peer_sends("HTTP/1.1 304 Not Modified\r\n\r\n");
      case 7:
        return its.peer_sends("\r\n0\r\n\r\n");
      case 8:
        return its.peer_sends(std::string(16'384, 'd'));
      case 9:
        return its.peer_resets();
      case 10:
        return its.peer_half_closes();
      case 11:
        return its.peer_sends(script_.bytes(script_.byte()));
      default:
        its.peer_takes();
    }
  }

  void rarely() {
    switch (script_.byte() % 8) {
      case 0:
        return socket().peer_resets();
      case 1:
        return socket().peer_half_closes();
      case 2:
        return peer_.says_goodbye();
      case 3:
        return conn::begin_stop(*world_.services);
      case 4:
        return socket().cipher_fails();
      case 5:
        return socket().peer_breaks(EBADMSG);
      default:
        return world_.ring->release_cancels();
    }
  }

  void pass(uint64_t ms) {
    ms = std::min(ms, passable_ms_);
    passable_ms_ -= ms;
    world_.advance(ms);
  }

  void step() {
    const uint8_t op = script_.byte();
    if (!socket().closed()) act(op & 15);
    if ((op & 16) != 0) socket().cipher_completes_all();
    if ((op & 32) != 0) socket().peer_takes();
    if ((op & 64) != 0 && world_.ring->queued() > 1) world_.ring->promote_in_queue(1);
    if ((op & 128) == 0) world_.turn();
  }

  void act(int op) {
    switch (op) {
      case 0:
      case 1:
      case 2:
      case 3:
        return say_frame();
      case 4:
      case 5:
        return ask();
      case 6:
        return say(script_.bytes(script_.byte()));
      case 7: {
        const uint32_t id = stream();
        return say(frame(8, 0, id, number(script_.number32(), 4)));
      }
      case 8:
        socket().peer_takes(1 + 256 * size_t{script_.byte()});
        return;
      case 9:
        if (socket().ciphering() > 0)
          socket().cipher_completes(script_.byte() % socket().ciphering());
        return;
      case 10:
        return disk();
      case 11:
        return backend();
      case 12:
        world_.services->now_ms += script_.byte();
        return;
      case 13:
        return pass(50 * uint64_t{script_.byte()});
      case 14:
        return rarely();
      default:
        return world_.turns();
    }
  }

  void check_bounds() {
    const uint64_t most = world_.services->options.pending_window_bytes + 64 * 29;
    INVARIANT(socket().pending_in_tls_max() <= most);
    INVARIANT(!socket().fin_overtook());
    const conn::Connection* c = world_.find(peer_.fd());
    if (c == nullptr || c->h2 == nullptr) return;
    size_t bodies = 0;
    for (const conn::Stream* st : c->h2->streams) bodies += st->body.size() + st->held_bytes;
    INVARIANT(bodies <= limits::kConnectionWindowBytes + limits::kUploadWindowBytes);
    INVARIANT(c->h2->streams.size() <= world_.services->options.streams_max);
  }

  // The client reads, and says nothing more. Everything comes to its end.
  void leave_alone() {
    world_.ring->hold_file_operations = world_.ring->hold_cancels = false;
    const uint64_t until_ms = world_.services->now_ms + kAloneMs;
    while (world_.services->now_ms < until_ms && !world_.all_free()) {
      while (world_.ring->held() > 0) world_.ring->finish();
      world_.ring->release_cancels();
      if (!socket().closed()) {
        socket().cipher_completes_all();
        socket().peer_takes();
        if (socket().fin_arrived()) socket().peer_half_closes();
      }
      world_.services->now_ms += 250;
      world_.turns();
      check_bounds();
    }
    INVARIANT(world_.state(peer_) == conn::State::Free);
  }

  void check_client_side() {
    const std::string server = wire::decode(socket().accepted_wire()).plaintext;
    const std::map<uint32_t, fuzz::Seen> answers = fuzz::check_server(server, said_);
    std::string_view rest;
    std::set<uint32_t> opened;
    for (const fuzz::Frame& frame : fuzz::frames_of(said_, rest)) {
      const auto answer = answers.find(frame.stream);
      if (frame.type != fuzz::kHeaders || !opened.insert(frame.stream).second) continue;
      if (faulty_ || answer == answers.end() || !answer->second.good) continue;
      const fuzz::Seen& seen = answer->second;
      for (const auto& [name, bytes] : kFiles) {
        if (frame.payload != request_fields("GET", std::string("/") + name)) continue;
        const std::string content = Site::content(name, bytes);
        INVARIANT(seen.data.size() <= bytes);
        INVARIANT(content.compare(0, seen.data.size(), seen.data) ==
                  0);  // also of one that was cut
        INVARIANT(!seen.ended || seen.data.size() == bytes);
      }
    }
  }

  Script script_;
  World world_;
  Part part_;
  Peer peer_{-1};
  bool is_left_alone_ = false, faulty_ = false;
  size_t record_bytes_ = 0;
  uint64_t passable_ms_ = kPassedMsMax;
  uint32_t next_ = 1;
  std::string said_;  // behind the preface
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Play(text_of(data, size)).run();
  return 0;
}
