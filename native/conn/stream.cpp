// SPDX-License-Identifier: Apache-2.0
// See stream.hpp.
#include "conn/stream.hpp"

#include "conn/alert.hpp"

namespace spliced::conn {
namespace {

// Plaintext that the kernel or OpenSSL has taken. `open`: the last record waits for more.
void count_handed(Services& s, Connection& c, size_t bytes, bool open) {
  c.ledger.handed(bytes);
  c.open_record_bytes = open ? (c.open_record_bytes + bytes) % limits::kRecordPlaintextBytes : 0;
  c.tick_interval_ms = 0;
  s.figures.plaintext_sent_bytes.add(bytes);
}

// The peer reads more slowly than we send.
void no_room(Connection& c) {
  c.writable = false;
  c.lags = true;
}

}  // namespace

os::Received stream_read(Connection& c, char* out, size_t capacity) {
  const os::Received got =
      c.offloaded ? os::receive_record(c.socket, out, capacity) : c.session->read(out, capacity);
  if (got.io == os::Io::WouldBlock) c.readable = false;
  return got;
}

os::Moved stream_send_output(Services& s, Connection& c, bool more) {
  while (!c.output.empty()) {
    const os::Moved moved = c.offloaded
                                ? os::send_bytes(c.socket, c.output.data(), c.output.size(), more)
                                : c.session->write(c.output.data(), c.output.size());
    if (moved.io == os::Io::WouldBlock) no_room(c);
    if (moved.io != os::Io::Done) return moved;
    c.output.begin += moved.bytes;
    count_handed(s, c, moved.bytes, more || !c.output.empty());
  }
  c.output.release(s.buffers);
  if (c.offloaded) return {};
  const os::Moved flushed = c.session->flush();
  if (flushed.io == os::Io::WouldBlock) no_room(c);
  return flushed;
}

os::Moved stream_splice(Services& s, Connection& c, size_t bytes) {
  const os::Moved moved = os::pipe_to_socket(c.pipe.read_end.get(), c.socket, bytes, /*more=*/true);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io != os::Io::Done) return moved;
  c.pipe_bytes -= moved.bytes;
  s.figures.spliced_bytes.add(moved.bytes);
  count_handed(s, c, moved.bytes, /*open=*/true);
  return moved;
}

os::Moved stream_send_file(Services& s, Connection& c, size_t bytes) {
  const os::Moved moved = os::file_to_socket(c.file->fd.get(), c.body_offset, c.socket, bytes);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io != os::Io::Done) return moved;
  c.advance(moved.bytes);
  c.resident_bytes -= moved.bytes;
  s.figures.spliced_bytes.add(moved.bytes);
  count_handed(s, c, moved.bytes, /*open=*/moved.bytes < bytes);
  return moved;
}

os::Moved stream_alert(Services& s, Connection& c, uint8_t level, uint8_t description) {
  const uint8_t payload[2] = {level, description};
  const os::Moved moved =
      os::send_control(c.socket, os::RecordType::Alert, payload, sizeof payload);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io != os::Io::Done) return moved;
  c.ledger.handed(sizeof payload);
  s.figures.alerts_sent.add();
  return moved;
}

os::Moved stream_farewell(Services& s, Connection& c) {
  os::Moved moved;
  if (c.offloaded) {
    const bool closing = c.farewell == alert::kCloseNotify;
    moved = stream_alert(s, c, closing ? alert::kWarning : alert::kFatal, c.farewell);
  } else {
    moved = c.session->close_notify();
    if (moved.io == os::Io::Done) s.figures.alerts_sent.add();
  }
  c.farewell_sent = moved.io == os::Io::Done;
  return moved;
}

}  // namespace spliced::conn
