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

// A record of handshake messages that is not encrypted, and longer than any: unexpected_message in
// TLS 1.3, where the type is looked at first, record_overflow in TLS 1.2.
constexpr char kForbiddenHeader[] = {22, 3, 3, '\xff', '\xff'};

int on_read(BIO* bio, char* out, int wanted) {
  return static_cast<RecordInput*>(BIO_get_data(bio))->read(bio, out, wanted);
}

// As a socket's BIO answers (crypto/bio/bss_sock.c). What we write goes elsewhere.
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

BIO* RecordInput::open(int socket) {
  BIO* bio = method() != nullptr ? BIO_new(method()) : nullptr;
  if (bio == nullptr) return nullptr;
  socket_ = socket;
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
  const os::Received got = os::receive_plain(socket_, out, static_cast<size_t>(wanted));
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

// OpenSSL asks for a header, and then for the rest of that record.
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
  // A ClientHello in the format of SSL 2 (RFC 5246 E.2): two bytes of length, and then the message.
  const size_t ssl2_bytes = 2 + (static_cast<size_t>(header_[0] & 0x7f) << 8 | header_[1]);
  if (first_ && (header_[0] & 0x80) != 0)
    body_left_ = ssl2_bytes > kHeaderBytes ? ssl2_bytes - kHeaderBytes : 0;
  first_ = false;
}

}  // namespace spliced::tls
