// SPDX-License-Identifier: Apache-2.0
// See stream.hpp.
#include "conn/stream.hpp"

#include <errno.h>

#include <algorithm>
#include <string_view>

#include "conn/alert.hpp"
#include "conn/dispatch.hpp"
#include "conn/key_update.hpp"

namespace spliced::conn {
namespace {

// Accounts for plaintext that the kernel or OpenSSL has taken. `open`: the last record waits for
// more.
void count_handed(Services& s, Connection& c, size_t bytes, bool open) {
  c.pending.ledger.handed(bytes);
  c.pending.open_record_bytes =
      open ? (c.pending.open_record_bytes + bytes) % limits::kRecordPlaintextBytes : 0;
  c.times.tick_interval_ms = 0;
  s.figures.plaintext_sent_bytes.add(bytes);
}

// The peer reads more slowly than we send.
void no_room(Connection& c) {
  c.edges.writable = false;
  c.times.lags = true;
}

// All output has been taken. In user space its records are in the session; they leave together
// with those that follow, as many as leave by one call.
os::Moved finish_sending(Services& s, Connection& c, bool more) {
  c.output.release(s.buffers);
  if (c.tls.offloaded || (more && !c.tls.session->is_full())) return {};
  const os::Moved flushed = stream_flush(c);
  if (flushed.io == os::Io::Done && !more) c.tls.session->rest();
  return flushed;
}

// RFC 8446 4.6.3: a KeyUpdate goes before the next application data.
os::Moved before_data(Services& s, Connection& c) {
  return c.tls.key_update_due ? send_key_update(s, c) : os::Moved{};
}

os::Moved splice(Services& s, Connection& c, const os::Pipe& pipe, size_t bytes, bool more) {
  if (const os::Moved ready = before_data(s, c); ready.io != os::Io::Done) return ready;
  const os::Moved moved = os::pipe_to_socket(pipe.read_end.get(), c.socket, bytes, more);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io != os::Io::Done) return moved;
  count_handed(s, c, moved.bytes, /*open=*/more || moved.bytes < bytes);
  return moved;
}

}  // namespace

os::Received stream_read(Connection& c, char* out, size_t capacity) {
  const os::Received got = c.tls.offloaded ? os::receive_record(c.socket, out, capacity)
                                           : c.tls.session->read(out, capacity);
  if (got.io == os::Io::WouldBlock) c.edges.readable = false;
  return got;
}

os::Moved stream_send_output(Services& s, Connection& c, bool more) {
  if (const os::Moved ready = before_data(s, c); ready.io != os::Io::Done) return ready;
  while (!c.output.empty()) {
    const os::Moved moved = c.tls.offloaded
                                ? os::send_bytes(c.socket, c.output.data(), c.output.size(), more)
                                : c.tls.session->write(c.output.data(), c.output.size());
    if (moved.io == os::Io::WouldBlock) no_room(c);
    if (moved.io != os::Io::Done) return moved;
    c.output.begin += moved.bytes;
    count_handed(s, c, moved.bytes, more || !c.output.empty());
  }
  return finish_sending(s, c, more);
}

os::Moved stream_flush(Connection& c) {
  const os::Moved flushed = c.tls.session->flush();
  if (flushed.io == os::Io::WouldBlock) no_room(c);
  return flushed;
}

os::Moved stream_send_kept_body(Services& s, Request& r) {
  Connection& c = *r.connection;
  if (const os::Moved ready = before_data(s, c); ready.io != os::Io::Done) return ready;
  while (!c.output.empty() || r.body_remaining > 0) {
    const std::string_view head{c.output.data(), c.output.size()};
    const std::string_view body{r.file->body.get() + r.body_offset,
                                static_cast<size_t>(r.body_remaining)};
    os::Moved moved;
    if (c.tls.offloaded) {
      moved = os::send_two(c.socket, head, body);
    } else {
      const std::string_view record =
          head.empty() ? body.substr(0, limits::kRecordPlaintextBytes) : head;
      moved = c.tls.session->write(record.data(), record.size());
    }
    if (moved.io == os::Io::WouldBlock) no_room(c);
    if (moved.io != os::Io::Done) return moved;
    const size_t of_head = std::min(moved.bytes, head.size());
    c.output.begin += of_head;
    r.advance(moved.bytes - of_head);
    count_handed(s, c, moved.bytes, r.body_remaining > 0);
  }
  return finish_sending(s, c, /*more=*/false);
}

void stream_queue_output(Services& s, Connection& c) {
  if (const os::Moved ready = before_data(s, c); ready.io != os::Io::Done) {
    c.ops.send_done = true;
    c.ops.send_result = ready.io == os::Io::WouldBlock ? -EAGAIN : -ready.error;
    return;
  }
  const std::optional<int32_t> result =
      s.ring.send(c.socket, c.output.data(), c.output.size(), token_of(c, ring::Kind::Send));
  c.ops.send_done = result.has_value();
  c.ops.sending = !c.ops.send_done;
  if (c.ops.send_done) c.ops.send_result = *result;
  if (c.ops.sending) c.ops.inflight++;
}

os::Moved stream_sent(Services& s, Connection& c) {
  c.ops.send_done = false;
  if (c.ops.send_result == -EAGAIN) {
    no_room(c);
    return {os::Io::WouldBlock, 0, 0};
  }
  // Without DEFER_TASKRUN the ring's own task work interrupts the wait for the TLS layer's tx_lock
  // (net/tls/tls_sw.c: tls_sw_sendmsg). Then nothing was taken, and the state sends again.
  if (c.ops.send_result == -EINTR) return {};
  if (c.ops.send_result <= 0) return {os::Io::Failed, 0, -c.ops.send_result};
  const size_t bytes = static_cast<size_t>(c.ops.send_result);
  c.output.begin += bytes;
  count_handed(s, c, bytes, /*open=*/!c.output.empty());
  if (c.output.empty()) c.output.release(s.buffers);
  return {os::Io::Done, bytes, 0};
}

os::Moved stream_splice(Services& s, Request& r, size_t bytes, bool more) {
  const os::Moved moved = splice(s, *r.connection, r.pipe, bytes, more);
  if (moved.io != os::Io::Done) return moved;
  r.pipe_bytes -= moved.bytes;
  s.figures.spliced_bytes.add(moved.bytes);
  return moved;
}

os::Moved stream_splice_frames(Services& s, Connection& c, const os::Pipe& pipe, size_t bytes) {
  return splice(s, c, pipe, bytes, /*more=*/false);
}

os::Moved stream_send_file(Services& s, Request& r, size_t bytes) {
  Connection& c = *r.connection;
  if (const os::Moved ready = before_data(s, c); ready.io != os::Io::Done) return ready;
  const os::Moved moved = os::file_to_socket(r.file->fd.get(), r.body_offset, c.socket, bytes);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io != os::Io::Done) return moved;
  r.advance(moved.bytes);
  r.resident_bytes -= moved.bytes;
  s.figures.spliced_bytes.add(moved.bytes);
  count_handed(s, c, moved.bytes, /*open=*/moved.bytes < bytes);
  return moved;
}

os::Moved stream_control(Connection& c, os::RecordType type, const uint8_t* payload, size_t bytes) {
  const os::Moved moved = os::send_control(c.socket, type, payload, bytes);
  if (moved.io == os::Io::WouldBlock) no_room(c);
  if (moved.io == os::Io::Done) c.pending.ledger.handed(bytes);
  return moved;
}

os::Moved stream_alert(Services& s, Connection& c, uint8_t level, uint8_t description) {
  const uint8_t payload[2] = {level, description};
  const os::Moved moved = stream_control(c, os::RecordType::Alert, payload, sizeof payload);
  if (moved.io == os::Io::Done) s.figures.alerts_sent.add();
  return moved;
}

os::Moved stream_farewell(Services& s, Connection& c) {
  os::Moved moved;
  if (c.tls.offloaded) {
    const bool closing = c.closing.farewell == alert::kCloseNotify;
    moved = stream_alert(s, c, closing ? alert::kWarning : alert::kFatal, c.closing.farewell);
  } else {
    moved = c.tls.session->close_notify();
    if (moved.io == os::Io::Done) s.figures.alerts_sent.add();
  }
  c.closing.farewell_sent = moved.io == os::Io::Done;
  return moved;
}

}  // namespace spliced::conn
