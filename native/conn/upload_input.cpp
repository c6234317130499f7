// SPDX-License-Identifier: Apache-2.0
// The source of an upload's bytes over HTTP/1.1: first the input buffer, then records of the
// socket, by splice if the kernel has the TLS. See upload.hpp.
#include <algorithm>

#include "conn/input.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"
#include "conn/upload/upload.hpp"

namespace spliced::conn {
namespace {

using End = Upload::End;

constexpr unsigned places_of(size_t bytes) {
  return static_cast<unsigned>(bytes / 4096) + 2;
}

void count(Upload& u, size_t bytes) {
  u.took(bytes);
  if (u.left == 0) u.end_body();
}

// Moves the input buffer's content to the pipe. False: the pipe is full.
bool take_input(Request& r) {
  Upload& u = *r.upload;
  Span& input = input_of(r);
  const size_t bytes = static_cast<size_t>(std::min<uint64_t>(input.size(), u.left));
  const os::Moved moved = os::memory_to_pipe(u.filling.pipe.write_end.get(), input.data(), bytes);
  if (moved.io != os::Io::Done) return false;
  input.begin += moved.bytes;
  if (input.empty()) input.begin = input.end = 0;
  u.filling.used += places_of(moved.bytes);
  count(u, moved.bytes);
  return moved.bytes == bytes;
}

// Moves one record's data from the socket to the pipe. False: splice cannot do it.
bool splice_record(Services& s, Request& r) {
  Connection& c = *r.connection;
  Upload& u = *r.upload;
  const os::Moved moved = os::socket_to_pipe(
      c.socket, u.filling.pipe.write_end.get(),
      static_cast<size_t>(std::min<uint64_t>(u.left, limits::kRecordPlaintextBytes)));
  if (moved.io == os::Io::WouldBlock) c.edges.readable = false;
  if (moved.io == os::Io::Done) {
    u.filling.used += limits::kPipePlacesPerRecord;
    s.figures.received_spliced_bytes.add(moved.bytes);
    if (count_received(s, c, moved.bytes))
      u.refuse(503, "this connection's key has been used enough; go on over a new connection");
    count(u, moved.bytes);
  }
  // A control record, the end of the stream or an error: recvmsg reports it, too.
  return moved.io == os::Io::Done || moved.io == os::Io::WouldBlock;
}

void read_record(Services& s, Request& r) {
  Upload& u = *r.upload;
  Connection& c = *r.connection;
  c.input.hold(s.buffers);
  c.input.begin = c.input.end = 0;
  const os::Received got = stream_read(c, c.input.tail(), c.input.room());
  if (got.io == os::Io::WouldBlock) return;
  if (got.io == os::Io::Done && got.type == os::RecordType::ApplicationData) {
    c.input.end += got.bytes;
    if (count_received(s, c, got.bytes))
      u.refuse(503, "this connection's key has been used enough; go on over a new connection");
    return;
  }
  u.end = End::Received;
  u.received = got;
}

}  // namespace

bool fill_upload(Services& s, Request& r) {
  if (r.stream != nullptr) return fill_stream_upload(r);
  Upload& u = *r.upload;
  const bool spliced = r.connection->tls.offloaded && s.kernel.splices_received &&
                       u.places > limits::kPipePlacesPerRecord;
  for (int records = 0; u.end == End::None; records++) {
    if (records == limits::kUploadRecordsPerTurn) return true;
    if (!input_of(r).empty()) {
      if (!take_input(r)) return false;
    } else if (!r.connection->edges.readable) {
      return false;
    } else if (spliced && u.filling.used + limits::kPipePlacesPerRecord > u.places) {
      return false;
    } else if (!spliced || !splice_record(s, r)) {
      read_record(s, r);
    }
  }
  return false;
}

bool send_continue(Services& s, Request& r, Turn& turn) {
  Connection& c = *r.connection;
  turn = Turn::Wait;
  if (output_of(r).empty()) return true;
  if (!c.edges.writable) return false;
  const os::Moved moved = stream_send_output(s, c, /*more=*/false);
  if (moved.io == os::Io::Done) return true;
  if (moved.io == os::Io::WouldBlock) {
    tick(s, r);
  } else {
    turn = give_up_sending(s, c, moved.error);
  }
  return false;
}

Turn end_input(Services& s, Request& r) {
  Turn turn = Turn::Again;
  (void)take_received(s, *r.connection, r.upload->received, turn);
  if (state_of(r) == State::Receive) {
    r.upload->end = End::None;  // a warning, which is ignored
  } else {
    r.upload.reset();
  }
  return turn;
}

}  // namespace spliced::conn
