// SPDX-License-Identifier: Apache-2.0
// See record_input.hpp.
#include "tls/record_input.hpp"

#include <errno.h>
#include <openssl/bio.h>

#include <algorithm>
#include <cstring>

#include "os/socket_io.hpp"

namespace spliced::tls {
namespace {

// The header of an unencrypted handshake record, longer than allowed. TLS 1.3 checks the type
// first: unexpected_message. TLS 1.2: record_overflow.
constexpr char kForbiddenHeader[] = {22, 3, 3, '\xff', '\xff'};

int on_read(BIO* bio, char* out, int wanted) {
  return static_cast<RecordInput*>(BIO_get_data(bio))->read(bio, out, wanted);
}

// Answers as a socket's BIO does (crypto/bio/bss_sock.c). Writes use another BIO.
long on_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records");
    if (fresh != nullptr) {
      BIO_meth_set_read(fresh, on_read);
      BIO_meth_set_ctrl(fresh, on_control);
    }
    return fresh;
  }();
  return made;
}

}  // namespace

BIO* RecordInput::open(int socket, const RecordOutput& output) {
  BIO* bio = method() != nullptr ? BIO_new(method()) : nullptr;
  if (bio == nullptr) return nullptr;
  socket_ = socket;
  output_ = &output;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

std::optional<Flood> RecordInput::find_flood() const {
  if (answer_bytes_ > limits::kAnswerBytesMax) return Flood::AnswersUnread;
  if (counts_ && without_data_ > limits::kRecordsWithoutDataMax) return Flood::RecordsWithoutData;
  return std::nullopt;
}

int RecordInput::read(BIO* bio, char* out, int wanted) {
  BIO_clear_retry_flags(bio);
  turn_is_over_ = false;
  if (deaf_) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const bool between = header_bytes_ == 0 && body_left_ == 0;
  if (between && !flood_) flood_ = find_flood();
  if (flood_) {
    const int bytes = std::min<int>(wanted, sizeof kForbiddenHeader);
    std::memcpy(out, kForbiddenHeader, static_cast<size_t>(bytes));
    return bytes;
  }
  if (between && left_ == 0) {
    turn_is_over_ = true;
    BIO_set_retry_read(bio);
    return -1;
  }
  const os::Received got = receive(out, static_cast<size_t>(wanted), between);
  switch (got.io) {
    case os::Io::Done:
      follow(out, got.bytes);
      return static_cast<int>(got.bytes);
    case os::Io::Eof:
      BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
      return 0;
    case os::Io::WouldBlock:
      BIO_set_retry_read(bio);
      return -1;
    case os::Io::Failed:
      errno = got.error;
      break;
  }
  return -1;
}

os::Received RecordInput::receive(char* out, size_t wanted, bool between) {
  if (is_empty() && between && reads_ != Reads::AsAsked) {
    // The client cannot answer what has not been sent.
    if (drained_ && !output_->unsent().empty()) return {os::Io::WouldBlock, {}, 0, 0};
    const os::Received got = receive_ahead();
    if (got.io != os::Io::Done) return got;
  }
  if (is_empty()) return os::receive_plain(socket_, out, wanted);
  const size_t bytes = std::min(wanted, ahead_end_ - ahead_begin_);
  std::memcpy(out, ahead_ + ahead_begin_, bytes);
  ahead_begin_ += bytes;
  return {os::Io::Done, os::RecordType::ApplicationData, bytes, 0};
}

// Done with nothing in ahead_: OpenSSL's own read is used. Before our first flight a client has
// nothing to send but its ClientHello. If it sends more, the connection does not go to the kernel
// (Session::quiescent). Behind the end of the handshake its first request may be waiting.
os::Received RecordInput::receive_ahead() {
  ahead_begin_ = ahead_end_ = 0;
  os::Received got;
  if (reads_ == Reads::Hello) {
    got = os::receive_plain(socket_, ahead_, sizeof ahead_);
    drained_ = got.bytes < sizeof ahead_;
  } else {
    got = os::peek_plain(socket_, ahead_, sizeof ahead_);
    if (got.io != os::Io::Done) return got;
    const size_t bytes = whole_records(got.bytes);
    if (bytes > 0)
      got = os::receive_plain(socket_, ahead_, bytes);
    else
      got.bytes = 0;
  }
  if (got.io == os::Io::Done) ahead_end_ = got.bytes;
  return got;
}

// Bytes of the whole handshake records at the front of ahead_.
size_t RecordInput::whole_records(size_t bytes) const {
  constexpr uint8_t kApplicationData = 23;
  size_t end = 0;
  while (end + kHeaderBytes <= bytes) {
    const auto* header = reinterpret_cast<const uint8_t*>(ahead_) + end;
    const size_t length = kHeaderBytes + (static_cast<size_t>(header[3]) << 8 | header[4]);
    const bool is_last = header[0] == kApplicationData;
    if (end + length > bytes || (is_last && reads_ == Reads::Flight12)) break;
    end += length;
    if (is_last) break;
  }
  return end;
}

// Follows OpenSSL's reads: a header, then the rest of that record.
void RecordInput::follow(const char* data, size_t bytes) {
  if (body_left_ > 0) {
    body_left_ -= std::min(body_left_, bytes);
    return;
  }
  if (header_bytes_ == 0) {
    left_--;
    without_data_++;
  }
  for (size_t i = 0; i < bytes && header_bytes_ < kHeaderBytes; i++)
    header_[header_bytes_++] = static_cast<uint8_t>(data[i]);
  if (header_bytes_ < kHeaderBytes) return;
  header_bytes_ = 0;
  body_left_ = static_cast<size_t>(header_[3]) << 8 | header_[4];
  // A ClientHello in the format of SSL 2 (RFC 5246 E.2): a length of two bytes, then the message.
  const size_t ssl2_bytes = 2 + (static_cast<size_t>(header_[0] & 0x7f) << 8 | header_[1]);
  if (first_ && (header_[0] & 0x80) != 0)
    body_left_ = ssl2_bytes > kHeaderBytes ? ssl2_bytes - kHeaderBytes : 0;
  first_ = false;
}

}  // namespace spliced::tls
