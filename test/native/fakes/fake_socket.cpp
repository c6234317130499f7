// SPDX-License-Identifier: Apache-2.0
// See fake_socket.hpp.
#include "fakes/fake_socket.hpp"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "fakes/wire.hpp"

namespace spliced::fakes {
namespace {

constexpr size_t kRecordBytes = 16384;

}  // namespace

size_t Socket::room() const {
  const size_t queued = queued_in_tcp();
  return queued >= send_buffer_bytes ? 0 : send_buffer_bytes - queued;
}

uint64_t Socket::pending_in_tls() const {
  uint64_t bytes = open_.size();
  for (const Record& record : records_) bytes += record.bytes.size() - record.pushed;
  return bytes;
}

size_t Socket::ciphering() const {
  return static_cast<size_t>(std::count_if(records_.begin(), records_.end(),
                                           [](const Record& r) { return !r.encrypted; }));
}

int Socket::readiness() const {
  int events = 0;
  if (room() > 0 || reset_ || severed_) events |= POLLOUT;
  if (!incoming_.empty() || peer_fin_ || reset_ || severed_) events |= POLLIN;
  if (peer_fin_ || reset_ || severed_) events |= POLLRDHUP;
  if (reset_ || severed_ || (fin_sent_ && peer_fin_)) events |= POLLHUP;
  if (reset_by_peer_ && !reset_told_) events |= POLLERR;
  return events;
}

void Socket::edge(int events) {
  if (on_edge && !closed_) on_edge(events);
}

void Socket::note_pending() {
  pending_max_ = std::max(pending_max_, pending_in_tls());
}

void Socket::lose_tls() {
  lost_in_tls_ += pending_in_tls();
  records_.clear();
  open_.clear();
}

// ---- The peer. ----

void Socket::peer_sends(const std::string& plaintext, os::RecordType type) {
  if (reset_ || peer_fin_) return;
  if (closed_) {  // nobody is there: TCP answers with a reset, and what was still queued is gone
    lost_in_tcp_ += queued_in_tcp();
    reset_ = true;
    return;
  }
  incoming_.push_back({type, plaintext, 0});
  edge(readiness());
}

void Socket::peer_breaks(int error) {
  if (reset_ || peer_fin_ || closed_) return;
  incoming_.push_back({os::RecordType::ApplicationData, "", error});
  edge(readiness());
}

void Socket::peer_half_closes() {
  if (reset_ || peer_fin_) return;
  peer_fin_ = true;
  edge(readiness());
}

void Socket::peer_resets() {
  if (reset_) return;
  reset_ = reset_by_peer_ = true;
  // The tx work finds the connection gone and reports it as if the cipher had failed.
  error_ = pending_in_tls() > 0 ? EBADMSG : ECONNRESET;
  edge(readiness());
}

size_t Socket::peer_takes(size_t bytes_max) {
  if (reset_ || unpushed_) return 0;
  const size_t bytes = std::min(bytes_max, queued_in_tcp());
  acked_ += bytes;
  if (fin_sent_ && acked_ == wire_.size()) fin_acked_ = true;
  push();
  // sk_stream_write_space: only when somebody found no space, and a third is free again.
  if (no_space_seen_ && room() > send_buffer_bytes / 3) {
    no_space_seen_ = false;
    edge(readiness());
  }
  return bytes;
}

// ---- The cipher. ----

void Socket::cipher_completes(size_t index) {
  for (Record& record : records_) {
    if (record.encrypted) continue;
    if (index-- > 0) continue;
    record.encrypted = true;
    break;
  }
  push();
}

void Socket::cipher_completes_all() {
  for (Record& record : records_) record.encrypted = true;
  push();
}

void Socket::cipher_fails() {
  cipher_failed_ = true;
  edge(readiness() | POLLERR);
}

// ---- The TLS layer. ----

void Socket::promote(uint32_t overhead_bytes, uint64_t sequence, uint64_t receive_sequence) {
  overhead_bytes_ = overhead_bytes;
  records_are_at(sequence);
  receive_sequence_ = receive_sequence;
}

std::string Socket::new_key(bool transmit) {
  if (!transmit) {
    const bool told = std::exchange(key_expired_, false);
    receive_sequence_ = 0;
    return told ? "" : "a new key for what the peer sends under its old one";
  }
  if (!std::exchange(key_update_sent_, false)) return "a new key without a KeyUpdate";
  if (ciphering() > 0) return "a new key while the cipher has records of the former one";
  if (!open_.empty()) return "a new key for a record that was begun under the former one";
  key_++;
  records_are_at(0);
  return "";
}

void Socket::close_record(uint8_t type) {
  records_.push_back({wire::record(type, open_, overhead_bytes_, key_), !asynchronous_cipher, 0});
  open_.clear();
  sequence_++;
}

void Socket::push() {
  if (fin_sent_ || reset_ || severed_ || closed_ || error_ != 0) return;
  while (!records_.empty() && records_.front().encrypted && room() > 0) {
    Record& record = records_.front();
    const size_t bytes = std::min(room(), record.bytes.size() - record.pushed);
    wire_.append(record.bytes, record.pushed, bytes);
    record.pushed += bytes;
    unpushed_ = leaves_unpushed;
    if (record.pushed < record.bytes.size()) break;
    records_.pop_front();
  }
}

int Socket::send_error() const {
  if (reset_by_peer_ && !reset_told_) return error_;
  if (reset_ || severed_ || fin_sent_) return EPIPE;
  return cipher_failed_ ? EBADMSG : error_;
}

os::Moved Socket::send_plain(const char* data, size_t bytes) {
  const size_t taken = std::min({bytes, room(), take_at_most});
  wire_.append(data, taken);
  return {os::Io::Done, taken, 0};
}

os::Moved Socket::send(const char* data, size_t bytes, bool more) {
  sends_++;
  if (on_send) on_send();
  if (const int error = send_error()) return {os::Io::Failed, 0, error};
  if (room() == 0) {
    no_space_seen_ = true;
    return {os::Io::WouldBlock, 0, 0};
  }
  if (!promoted()) return send_plain(data, bytes);
  const size_t willing = std::min(bytes, take_at_most);
  size_t taken = 0;
  while (taken < willing && room() > 0) {
    const size_t part = std::min(willing - taken, kRecordBytes - open_.size());
    open_.append(data + taken, part);
    taken += part;
    const bool last = taken == bytes && !more;
    if (open_.size() == kRecordBytes || last) close_record(wire::kApplicationData);
    note_pending();
    push();
  }
  return {os::Io::Done, taken, 0};
}

os::Moved Socket::send_control(os::RecordType type, const std::string& payload) {
  if (const int error = send_error()) return {os::Io::Failed, 0, error};
  if (room() == 0) {
    no_space_seen_ = true;
    return {os::Io::WouldBlock, 0, 0};
  }
  if (!open_.empty()) close_record(wire::kApplicationData);  // tls_handle_open_record
  open_ = payload;
  close_record(static_cast<uint8_t>(type));
  if (type == os::RecordType::Handshake) {
    key_update_sent_ = payload[0] == wire::kKeyUpdate;
    cipher_completes_all();  // sendmsg waits for it
  }
  note_pending();
  push();
  return {os::Io::Done, payload.size(), 0};
}

// ---- Receiving, figures, the end. ----

os::Received Socket::receive(char* out, size_t capacity) {
  receives_++;
  if (key_expired_ && !incoming_.empty())
    return {os::Io::Failed, {}, 0, takes_new_keys ? EKEYEXPIRED : EBADMSG};
  if (incoming_.empty()) {
    if (reset_by_peer_ && !reset_told_) {
      reset_told_ = true;
      return {os::Io::Failed, {}, 0, error_};
    }
    if (peer_fin_ || reset_ || severed_) return {os::Io::Eof, {}, 0, 0};
    return {os::Io::WouldBlock, {}, 0, 0};
  }
  const os::RecordType type = incoming_.front().type;
  size_t bytes = 0;
  while (!incoming_.empty() && incoming_.front().type == type && bytes <= capacity) {
    Incoming& next = incoming_.front();
    if (next.error != 0) {  // it stays: the record is never opened
      if (bytes > 0) break;
      error_ = next.error;  // tls_err_abort
      edge(readiness() | POLLERR);
      return {os::Io::Failed, {}, 0, next.error};
    }
    if (type == os::RecordType::Handshake && next.bytes[0] == wire::kKeyUpdate) key_expired_ = true;
    const size_t part = std::min(capacity - bytes, next.bytes.size());
    std::memcpy(out + bytes, next.bytes.data(), part);
    bytes += part;
    next.bytes.erase(0, part);
    if (!next.bytes.empty()) break;
    incoming_.pop_front();
    receive_sequence_++;
    if (type != os::RecordType::ApplicationData || part == 0) break;
  }
  return {os::Io::Done, type, bytes, 0};
}

bool Socket::counters(os::TcpCounters& out) const {
  if (figures_fail) return false;
  out.accepted = wire_.size() + (fin_sent_ ? 1 : 0);
  out.acked = acked_ + (fin_acked_ ? 1 : 0);
  out.closed = reset_;
  out.idle = unpushed_ || queued_in_tcp() == 0;
  out.unpushed = unpushed_;
  return true;
}

bool Socket::sequence(bool transmit, uint64_t& out) {
  if (!transmit) receive_sequence_reads_++;
  if (figures_fail || !promoted()) return false;
  out = transmit ? sequence_ : receive_sequence_;
  return true;
}

int Socket::unacknowledged() const {
  return static_cast<int>(queued_in_tcp()) + (fin_sent_ && !fin_acked_ ? 1 : 0);
}

void Socket::half_close() {
  if (reset_ || severed_ || fin_sent_) return;
  fin_sent_ = true;
  unpushed_ = false;  // a FIN pushes what is before it
  if (pending_in_tls() > 0) {
    fin_overtook_ = true;
    lose_tls();
  }
  if (peer_fin_) edge(readiness());
}

void Socket::sever() {
  if (severed_) return;
  severed_ = true;
  edge(readiness());
}

void Socket::close() {
  if (!reset_ && !severed_ && !fin_sent_) {
    cipher_completes_all();  // the close waits for the cipher, then tries once
    push();
  }
  closed_ = true;
  lose_tls();
  const bool ordinary = !reset_ && !severed_ && incoming_.empty();
  if (ordinary) {
    fin_sent_ = true;  // what TCP has goes out by itself
    unpushed_ = false;
    return;
  }
  if (!reset_) lost_in_tcp_ += queued_in_tcp();
  reset_ = true;
}

}  // namespace spliced::fakes
