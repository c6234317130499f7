// SPDX-License-Identifier: Apache-2.0
// See cipher_lane.hpp. Keys, plaintexts and pieces depend on the lane's seed alone.
#include "experiment/cipher_lane.hpp"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "os/fd.hpp"
#include "os/socket_io.hpp"
#include "tls/ktls.hpp"
#include "tls/software_record.hpp"

namespace spliced::experiment {
namespace {

constexpr size_t kRecordBytes = 16384;
constexpr size_t kTextBytesMax = 4 * kRecordBytes;
constexpr size_t kPiecesMax = 12;
constexpr int kTextsPerSocket = 200;
constexpr int kPollMs = 100;
// Sizes around the bounds of padding, blocks, pages and records.
constexpr size_t kEdges[] = {1,    2,    3,    15,   16,    17,    31,    32,    33,
                             63,   64,   65,   255,  256,   257,   1023,  1024,  1025,
                             4095, 4096, 4097, 8191, 16382, 16383, 16384, 16385, 32768};

enum class Way : uint8_t { Send, Fragments, More, SendFile };
constexpr const char* kWayNames[] = {"send", "sendmsg", "send with MSG_MORE", "sendfile"};

class Lane {
 public:
  Lane(SharedCheck& shared, const tls::CipherSpec& cipher, bool decrypting, uint64_t seed)
      : shared_(shared), cipher_(cipher), decrypting_(decrypting), random_(seed) {}

  void run() {
    while (!shared_.over) {
      if (!connect()) return;
      shared_.sockets++;
      for (int i = 0; i < kTextsPerSocket && !shared_.over; i++) {
        text_ = random_text(random_size(kTextBytesMax));
        if (!(decrypting_ ? open_text() : seal_text())) return;
      }
    }
  }

 private:
  size_t below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  size_t random_size(size_t most) {
    const size_t edge = kEdges[below(std::size(kEdges))];
    return below(2) == 0 && edge <= most ? edge : 1 + below(most);
  }

  std::string random_text(size_t bytes) {
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; i += 8) {
      const uint64_t value = random_();
      ::memcpy(text.data() + i, &value, std::min<size_t>(8, bytes - i));
    }
    return text;
  }

  bool cannot(const char* what) {
    shared_.cannot(std::string(what) + ": " + ::strerror(errno));
    return false;
  }

  // Connects sender_ to receiver_ over loopback; one of them gets kernel TLS.
  bool connect() {
    os::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    sender_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener || !sender_ || ::bind(listener.get(), generic, length) != 0 ||
        ::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), generic, &length) != 0 ||
        ::connect(sender_.get(), generic, length) != 0)
      return cannot("a connection over loopback");
    receiver_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int on = 1;
    if (!receiver_ || ::fcntl(sender_.get(), F_SETFL, O_NONBLOCK) != 0 ||
        ::setsockopt(sender_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
      return cannot("a connection over loopback");
    const std::string bytes = random_text(sizeof keys_.key + sizeof keys_.iv);
    ::memcpy(keys_.key, bytes.data(), sizeof keys_.key);
    ::memcpy(keys_.iv, bytes.data() + sizeof keys_.key, sizeof keys_.iv);
    sequence_ = keys_.sequence = 0;
    const int socket = decrypting_ ? receiver_.get() : sender_.get();
    const auto direction =
        decrypting_ ? tls::ktls::Direction::Receive : tls::ktls::Direction::Transmit;
    errno = tls::ktls::attach(socket);
    if (errno == 0) errno = tls::ktls::install(socket, direction, cipher_, keys_);
    return errno == 0 || cannot("kernel TLS");
  }

  // ---- The kernel encrypts. ----

  bool seal_text() {
    plan_pieces();
    wire_.clear();
    size_t sent = 0, opened = 0;
    uint64_t answer_by_ms = base::now_ms() + kAnswerMsMax;
    while (opened < text_.size()) {
      bool moved = false;
      if (sent < text_.size()) {
        const os::Moved step = send_piece(sent);
        if (step.io == os::Io::Failed) return refused(text_.substr(sent), step.error);
        if (step.io == os::Io::Done) sent += step.bytes;
        moved = step.io == os::Io::Done;
      }
      char buffer[kRecordBytes];
      const ssize_t got = ::recv(receiver_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) wire_.append(buffer, static_cast<size_t>(got));
      if (!compare_wire(opened)) return false;
      if (moved || got > 0) answer_by_ms = base::now_ms() + kAnswerMsMax;
      if (!moved && got <= 0 && !wait(sent < text_.size(), answer_by_ms))
        return no_answer(text_.substr(opened, kRecordBytes));
      if (shared_.over) return false;
    }
    return true;
  }

  void plan_pieces() {
    way_ = static_cast<Way>(below(4));
    pieces_.assign(1, text_.size());
    if (way_ == Way::Send) return;
    for (size_t cuts = below(kPiecesMax); cuts > 0; cuts--) {
      const size_t whole = pieces_.back();
      if (whole < 2) break;
      const size_t first = std::min(random_size(kRecordBytes), whole - 1);
      pieces_.back() = first;
      pieces_.push_back(whole - first);
    }
    if (way_ != Way::SendFile) return;
    file_.reset(::memfd_create("spliced-check", MFD_CLOEXEC));
    file_offset_ = below(4096);
    const bool there =
        file_ && ::pwrite(file_.get(), text_.data(), text_.size(),
                          static_cast<off_t>(file_offset_)) == static_cast<ssize_t>(text_.size());
    if (!there) way_ = Way::Send;
  }

  // Sends the rest of the piece at `sent`; for Fragments everything that is left, in one call.
  os::Moved send_piece(size_t sent) {
    size_t end = 0, at = 0;
    while (end <= sent) end += pieces_[at++];
    const bool last = end == text_.size();
    switch (way_) {
      case Way::Fragments:
        return send_fragments(sent);
      case Way::More:
        return os::send_bytes(sender_.get(), text_.data() + sent, end - sent, !last);
      case Way::SendFile:
        return os::file_to_socket(file_.get(), file_offset_ + sent, sender_.get(), end - sent);
      default:
        return os::send_bytes(sender_.get(), text_.data() + sent, text_.size() - sent, false);
    }
  }

  os::Moved send_fragments(size_t sent) {
    std::vector<iovec> parts;
    size_t at = 0;
    for (const size_t piece : pieces_) {
      const size_t skip = sent > at ? std::min(sent - at, piece) : 0;
      if (piece > skip) parts.push_back({text_.data() + at + skip, piece - skip});
      at += piece;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t taken = ::sendmsg(sender_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) return {os::Io::Done, static_cast<size_t>(taken), 0};
    if (errno == EAGAIN) return {os::Io::WouldBlock, 0, 0};
    return {os::Io::Failed, 0, errno};
  }

  // Compares every whole record in wire_. `opened`: how much of the text they contained.
  bool compare_wire(size_t& opened) {
    while (wire_.size() >= 5) {
      const size_t length = static_cast<uint8_t>(wire_[3]) << 8 | static_cast<uint8_t>(wire_[4]);
      if (wire_.size() < 5 + length) return true;
      const std::string got = wire_.substr(0, 5 + length);
      const uint32_t overhead = cipher_.record_overhead_bytes();
      const size_t left = text_.size() - opened;
      const size_t bytes = got.size() > overhead ? std::min(got.size() - overhead, left) : left;
      const std::string input = text_.substr(opened, bytes);
      tls::SoftwareRecord expected;
      if (!tls::seal_in_software(cipher_, keys_, sequence_, explicit_nonce(got), input, expected))
        return cannot("OpenSSL");
      if (expected.wire != got) return wrong_bytes(input, expected, expected.wire, got);
      count(bytes);
      opened += bytes;
      wire_.erase(0, got.size());
    }
    return true;
  }

  // The kernel chooses it, in TLS 1.2 AES-GCM.
  uint64_t explicit_nonce(const std::string& record) const {
    uint64_t value = 0;
    for (size_t i = 0; i < cipher_.explicit_iv_bytes && 5 + i < record.size(); i++)
      value = value << 8 | static_cast<uint8_t>(record[5 + i]);
    return value;
  }

  // ---- The kernel decrypts. ----

  bool open_text() {
    if (!seal_all()) return false;
    size_t sent = 0, opened = 0;
    uint64_t answer_by_ms = base::now_ms() + kAnswerMsMax;
    while (opened < text_.size()) {
      bool moved = false;
      if (sent < wire_.size()) {
        const size_t part = std::min(random_size(kRecordBytes), wire_.size() - sent);
        const os::Moved step = os::send_bytes(sender_.get(), wire_.data() + sent, part, false);
        if (step.io == os::Io::Done) sent += step.bytes;
        moved = step.io == os::Io::Done;
      }
      char buffer[kRecordBytes];
      const size_t room = random_size(sizeof buffer);
      const os::Received step = os::receive_record(receiver_.get(), buffer, room);
      if (step.io == os::Io::Failed) return refused_record(opened, step.error);
      if (step.io == os::Io::Done && !compare_text(opened, {buffer, step.bytes})) return false;
      if (step.io == os::Io::Done) moved = true;
      if (moved) answer_by_ms = base::now_ms() + kAnswerMsMax;
      if (!moved && !wait(sent < wire_.size(), answer_by_ms))
        return no_answer(record_at(opened).first.wire);
      if (shared_.over) return false;
    }
    return true;
  }

  // Encrypts the text by software, in records of any size.
  bool seal_all() {
    wire_.clear();
    records_.clear();
    pieces_.clear();
    for (size_t at = 0; at < text_.size(); at += pieces_.back()) {
      pieces_.push_back(std::min(random_size(kRecordBytes), text_.size() - at));
      tls::SoftwareRecord record;
      if (!tls::seal_in_software(cipher_, keys_, sequence_, sequence_,
                                 std::string_view(text_).substr(at, pieces_.back()), record))
        return cannot("OpenSSL");
      wire_ += record.wire;
      records_.push_back({std::move(record), sequence_++});
    }
    return true;
  }

  // The record whose content begins at, or includes, this place of the text, and that content.
  std::pair<tls::SoftwareRecord, std::string> record_at(size_t place) {
    size_t at = 0, index = 0;
    while (at + pieces_[index] <= place && index + 1 < pieces_.size()) at += pieces_[index++];
    failed_sequence_ = records_[index].second;
    return {records_[index].first, text_.substr(at, pieces_[index])};
  }

  bool compare_text(size_t& opened, std::string_view got) {
    const size_t bytes = std::min(got.size(), text_.size() - opened);
    const std::string_view expected = std::string_view(text_).substr(opened, bytes);
    if (got != expected) {
      const size_t offset = static_cast<size_t>(
          std::mismatch(expected.begin(), expected.end(), got.begin()).first - expected.begin());
      const auto [record, content] = record_at(opened + offset);
      return differs(CipherFault::WrongBytes, 0, record, record.wire, std::string(expected),
                     std::string(got.substr(0, bytes)));
    }
    opened += bytes;
    shared_.bytes += bytes;
    if (opened == text_.size()) shared_.records += records_.size();
    return true;
  }

  // ---- For both directions. ----

  void count(size_t bytes) {
    sequence_++;
    shared_.records++;
    shared_.bytes += bytes;
  }

  // False: nothing has come for too long.
  bool wait(bool unsent, uint64_t answer_by_ms) {
    pollfd entries[] = {{receiver_.get(), POLLIN, 0},
                        {sender_.get(), static_cast<short>(unsent ? POLLOUT : 0), 0}};
    ::poll(entries, 2, kPollMs);
    return base::now_ms() < answer_by_ms;
  }

  bool wrong_bytes(const std::string& input, const tls::SoftwareRecord& record,
                   const std::string& expected, const std::string& got) {
    failed_sequence_ = sequence_;
    return differs(CipherFault::WrongBytes, 0, record, input, expected, got);
  }

  bool refused(const std::string& input, int error) {
    failed_sequence_ = sequence_;
    return differs(CipherFault::Refused, error, {}, input, "", "");
  }

  bool refused_record(size_t opened, int error) {
    const auto [record, content] = record_at(opened);
    return differs(CipherFault::Refused, error, record, record.wire, content, "");
  }

  bool no_answer(const std::string& input) {
    return differs(CipherFault::NoAnswer, ETIMEDOUT, {}, input, "", "");
  }

  // Reports the difference; always false, so that callers can return it.
  bool differs(CipherFault fault, int error, const tls::SoftwareRecord& record,
               const std::string& input, const std::string& expected, const std::string& got) {
    auto difference = std::make_unique<CipherDifference>();
    difference->fault = fault;
    difference->error = error;
    difference->cipher = &cipher_;
    difference->decrypting = decrypting_;
    difference->sequence = failed_sequence_;
    difference->key.assign(reinterpret_cast<const char*>(keys_.key), cipher_.key_bytes);
    difference->nonce = record.nonce;
    difference->additional = record.additional;
    difference->input = input;
    difference->expected = expected;
    difference->got = got;
    const size_t both = std::min(expected.size(), got.size());
    while (difference->offset < both && expected[difference->offset] == got[difference->offset])
      difference->offset++;
    difference->how = decrypting_ ? "records of" : kWayNames[static_cast<size_t>(way_)];
    for (size_t i = 0; i < pieces_.size(); i++)
      difference->how += (i == 0 ? " " : "+") + std::to_string(pieces_[i]);
    shared_.found(std::move(difference));
    return false;
  }

  SharedCheck& shared_;
  const tls::CipherSpec& cipher_;
  const bool decrypting_;
  std::mt19937_64 random_;
  os::Fd sender_, receiver_, file_;
  tls::TrafficKeys keys_;
  uint64_t sequence_ = 0;         // of the next record
  uint64_t failed_sequence_ = 0;  // of the reported record
  std::string text_, wire_;
  Way way_ = Way::Send;
  std::vector<size_t> pieces_;
  uint64_t file_offset_ = 0;
  std::vector<std::pair<tls::SoftwareRecord, uint64_t>> records_;
};

}  // namespace

void run_lane(SharedCheck& shared, const tls::CipherSpec& cipher, bool decrypting, uint64_t seed) {
  Lane(shared, cipher, decrypting, seed).run();
}

}  // namespace spliced::experiment
