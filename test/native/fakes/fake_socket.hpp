// SPDX-License-Identifier: Apache-2.0
// One simulated TCP socket with the kernel's TLS layer on top of it. fake_kernel.cpp (in place of
// os/socket_io.cpp) calls the server's side. The test is the peer, the network and the cipher:
// nothing moves unless it says so.
//
//   plaintext -> open record -> records (cipher at work) -> TCP queue -> the peer
//
// Rules taken from net/tls/tls_sw.c: rec_seq advances when a record goes to the cipher; records
// leave in order; with an asynchronous cipher the layer accepts data without bound while TCP has
// room; a close pushes once what TCP has room for, and frees the rest; a FIN overtakes what has not
// left.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "os/socket_io.hpp"

namespace spliced::fakes {

class Socket {
 public:
  // ---- The script. ----
  size_t send_buffer_bytes = 65536;
  bool asynchronous_cipher = false;
  size_t take_at_most = SIZE_MAX;  // plaintext that one call accepts
  bool figures_fail = false;       // getsockopt fails
  bool peer_is_loopback = false;
  uint64_t rate_max = 0;
  uint32_t round_trip_us = 100;
  uint64_t peer_address = 1;
  uint16_t own_port = 0;        // not 0: the peer is this host, at this port
  bool takes_new_keys = false;  // accepts TLS_TX and TLS_RX again, as since 6.14
  // What TCP accepts waits for push_pending, as is possible before 6.5.
  bool leaves_unpushed = false;
  std::function<void()> on_send;  // before a send of data does anything

  // ---- The peer and its network. ----
  void peer_sends(const std::string& plaintext,
                  os::RecordType type = os::RecordType::ApplicationData);
  void peer_breaks(int error);  // a record that the kernel cannot decrypt: EBADMSG and the like
  void peer_half_closes();
  void peer_resets();
  // TCP delivers and acknowledges up to `bytes_max`. Returns how many.
  size_t peer_takes(size_t bytes_max = SIZE_MAX);
  // All that has arrived at the peer: the bytes on the wire.
  std::string arrived() const { return wire_.substr(0, acked_); }
  bool fin_arrived() const { return fin_sent_ && acked_ == wire_.size() && !reset_; }
  bool reset() const { return reset_; }

  // ---- The cipher. ----
  size_t ciphering() const;                 // records it works on
  void cipher_completes(size_t index = 0);  // any of them: one may overtake another
  void cipher_completes_all();
  void cipher_fails();  // net/tls/tls_sw.c: tls_encrypt_done with an error

  // ---- What the test may read. ----
  uint64_t pending_in_tls() const;  // as the ledger defines it
  uint64_t pending_in_tls_max() const { return pending_max_; }
  size_t queued_in_tcp() const { return wire_.size() - acked_; }
  const std::string& accepted_wire() const { return wire_; }  // all that TCP ever accepted
  uint64_t lost_in_tls() const { return lost_in_tls_; }
  uint64_t lost_in_tcp() const { return lost_in_tcp_; }
  bool fin_overtook() const { return fin_overtook_; }
  bool half_closed() const { return fin_sent_; }
  bool severed() const { return severed_; }
  bool closed() const { return closed_; }
  bool peer_left() const { return reset_by_peer_; }
  bool cipher_failed() const { return cipher_failed_; }
  size_t receives() const { return receives_; }  // calls, including those without a result
  size_t sends() const { return sends_; }        // of data, likewise
  size_t open_record_bytes() const { return open_.size(); }
  // How often the kernel was asked for the number of the next record to receive.
  size_t receive_sequence_reads() const { return receive_sequence_reads_; }
  // Under the present key.
  uint64_t records_sent() const { return sequence_ - first_sequence_; }
  void records_are_at(uint64_t sequence) { sequence_ = first_sequence_ = sequence; }
  void records_received_are_at(uint64_t sequence) { receive_sequence_ = sequence; }
  int readiness() const;  // poll(2) bits

  // ---- The server's side. ----
  std::function<void(int events)> on_edge;
  void promote(uint32_t overhead_bytes, uint64_t sequence, uint64_t receive_sequence);
  // Installs the next key of a direction. Empty, or the product's mistake.
  std::string new_key(bool transmit);
  bool promoted() const { return overhead_bytes_ != 0; }
  bool next_is_control() const {
    return !incoming_.empty() && incoming_.front().type != os::RecordType::ApplicationData;
  }
  os::Moved send(const char* data, size_t bytes, bool more);
  os::Moved send_control(os::RecordType type, const std::string& payload);
  os::Received receive(char* out, size_t capacity);
  // For data; 0: there is none.
  size_t next_record_bytes() const {
    return incoming_.empty() ? 0 : incoming_.front().bytes.size();
  }
  bool counters(os::TcpCounters& out) const;
  bool sequence(bool transmit, uint64_t& out);
  uint64_t accepted_at_least() const { return acked_ + (unpushed_ ? queued_in_tcp() : 0); }
  int unacknowledged() const;
  void clear_error() {
    if (!reset_) error_ = 0;
  }
  void push_pending() { unpushed_ = false; }
  void half_close();
  void sever();
  void close();

 private:
  struct Record {
    std::string bytes;
    bool encrypted = false;
    size_t pushed = 0;
  };
  struct Incoming {
    os::RecordType type;
    std::string bytes;
    int error = 0;
  };

  size_t room() const;
  int send_error() const;
  void close_record(uint8_t type);
  void push();
  void note_pending();
  void lose_tls();
  void edge(int events);
  os::Moved send_plain(const char* data, size_t bytes);

  uint32_t overhead_bytes_ = 0;  // 0: no TLS layer
  uint64_t first_sequence_ = 0, sequence_ = 0, receive_sequence_ = 0;
  std::string open_;
  std::deque<Record> records_;
  uint64_t pending_max_ = 0, lost_in_tls_ = 0, lost_in_tcp_ = 0;

  std::string wire_;  // every byte that TCP accepted, in order; [0, acked_) has arrived
  size_t acked_ = 0;
  bool fin_sent_ = false, fin_acked_ = false, fin_overtook_ = false;
  bool unpushed_ = false;
  bool no_space_seen_ = false;  // SOCK_NOSPACE: the product waits for POLLOUT

  size_t receives_ = 0, sends_ = 0, receive_sequence_reads_ = 0;
  std::deque<Incoming> incoming_;
  bool peer_fin_ = false, reset_ = false, reset_by_peer_ = false, reset_told_ = false;
  int error_ = 0;  // sk_err: every send fails until it has been reported
  bool severed_ = false, closed_ = false, cipher_failed_ = false;

  uint8_t key_ = 0;               // number of the key for sending
  bool key_update_sent_ = false;  // the peer expects the next key
  bool key_expired_ = false;      // for receiving: a KeyUpdate was read
};

}  // namespace spliced::fakes
