// SPDX-License-Identifier: Apache-2.0
// Computes what is pending in the TLS layer: the plaintext that was handed over, plus the overhead
// of its records, less what TCP has. Pure arithmetic; the caller gets the figures from the kernel.
//
//   pending = plaintext + overhead * (rec_seq - first) - (accepted by TCP - base)
//
// rec_seq advances when a record goes to the cipher (net/tls/tls_sw.c: tls_push_record). So with an
// asynchronous cipher this counts what the engine still works on, which nothing else shows. The
// plaintext of an open (MSG_MORE) record counts as pending until it is closed and sent.
#pragma once
#include <algorithm>
#include <cstdint>

namespace spliced::conn {

class Ledger {
 public:
  struct Base {
    uint32_t record_overhead_bytes = 0;
    uint64_t sequence = 0;      // of the first record under the kernel's present key
    uint64_t tcp_accepted = 0;  // os::TcpCounters at the moment of promotion
    uint64_t tcp_acked = 0;
  };

  Ledger() = default;
  explicit Ledger(const Base& base) : base_(base), sequence_(base.sequence) {}

  // Plaintext that a successful call took, including the payloads of control records.
  void handed(uint64_t bytes) {
    plaintext_ += bytes;
    // A call closes at most one record beyond the full ones.
    records_at_most_ += bytes / kRecordBytes + 1;
  }

  // The next record is the first under a new key, number 0. `next_sequence` is the number that it
  // would have had under the former key, read as for observe().
  void key_changed(uint64_t next_sequence) {
    former_records_ += next_sequence - base_.sequence;
    base_.sequence = sequence_ = 0;
    records_at_most_ = 0;
  }

  // TCP has at least this much; what else it has was not asked. Lowers pending_at_most() alone.
  void bound(uint64_t tcp_accepted_at_least) {
    if (tcp_accepted_at_least > base_.tcp_accepted)
      in_tcp_at_least_ = std::max(in_tcp_at_least_, tcp_accepted_at_least - base_.tcp_accepted);
  }

  // The sequence must be read before the TCP figures, on the thread that sends: then it cannot
  // change in between, and TCP's figures can only grow. The reading of what TCP has may be too
  // small by what was acknowledged between its two parts (os::TcpCounters); while the handshake's
  // last flight is acknowledged it may even be below the base. That only delays. False: the
  // kernel's figures contradict ours (pending would be negative). Then nothing is known, and
  // settled() is false.
  bool observe(uint64_t next_sequence, uint64_t tcp_accepted, uint64_t tcp_acked) {
    sequence_ = next_sequence;
    records_at_most_ = 0;
    acked_ = tcp_acked > base_.tcp_acked ? tcp_acked - base_.tcp_acked : 0;
    const uint64_t expected = plaintext_ + base_.record_overhead_bytes * records();
    const uint64_t in_tcp = tcp_accepted - std::min(tcp_accepted, base_.tcp_accepted);
    consistent_ = expected >= in_tcp;
    pending_ = consistent_ ? expected - in_tcp : 0;
    in_tcp_at_least_ = expected - pending_;
    return consistent_;
  }

  // Whether at the last observation TCP had every byte that has been handed over until now.
  bool settled() const { return consistent_ && pending_at_most() == 0; }

  uint64_t pending() const { return pending_; }  // at the last observation
  // Upper bound of what is pending now. A system call is worthwhile only if it exceeds the window.
  uint64_t pending_at_most() const {
    const uint64_t expected =
        plaintext_ + base_.record_overhead_bytes * (records() + records_at_most_);
    return expected > in_tcp_at_least_ ? expected - in_tcp_at_least_ : 0;
  }
  // At the last observation, under all keys.
  uint64_t records() const { return former_records_ + sequence_ - base_.sequence; }
  // Upper bound of the next record's number under its key.
  uint64_t sequence_at_most() const { return sequence_ + records_at_most_; }
  // Bytes on the wire, sent or to be sent, that the peer had not acknowledged.
  uint64_t unacked() const {
    const uint64_t expected = plaintext_ + base_.record_overhead_bytes * records();
    return expected > acked_ ? expected - acked_ : 0;
  }
  uint64_t acked() const { return acked_; }  // bytes on the wire, at the last observation
  uint64_t plaintext() const { return plaintext_; }

 private:
  static constexpr uint64_t kRecordBytes = 16384;

  Base base_;
  uint64_t plaintext_ = 0;
  uint64_t records_at_most_ = 0;
  uint64_t sequence_ = 0;
  uint64_t former_records_ = 0;  // under former keys
  uint64_t pending_ = 0;
  uint64_t in_tcp_at_least_ = 0;
  uint64_t acked_ = 0;
  bool consistent_ = true;
};

}  // namespace spliced::conn
