// SPDX-License-Identifier: Apache-2.0
// How OpenSSL reads a connection's socket: no byte beyond the handshake, which is the kernel's to
// read, a bounded number of records in one turn of the engine, and of records without data in a
// row. OpenSSL asks for a record's header and then for its rest, two calls each; a flight of the
// handshake comes by one or two calls here. One call of OpenSSL
// goes on over such records as long as there are any (SSL_read(3)): KeyUpdates, empty records,
// handshake messages in pieces of one byte. Between two records it can be stopped, and goes on
// later.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/limits.hpp"
#include "os/socket_io.hpp"

typedef struct bio_st BIO;

namespace spliced::tls {

// What a client does that makes us work and is no request: its connection ends.
enum class Flood : uint8_t {
  RecordsWithoutData,  // more than limits::kRecordsWithoutDataMax in a row
  AnswersUnread,       // it asks for answers (KeyUpdate), and reads none
  Renegotiation,       // with kernel TLS: it asks for it again, though that was declined
};
inline constexpr size_t kFloods = 3;
inline constexpr const char* kFloodNames[kFloods] = {"records_without_data", "answers_unread",
                                                     "renegotiation"};

class RecordInput {
 public:
  // A BIO that reads `socket` through this object, which must outlive it; null without memory.
  // `socket` stays the caller's, and so does `output`: what OpenSSL has written and the socket has
  // not.
  BIO* open(int socket, BIO* output);

  // A new turn of the engine, by its number: so many records may be read again.
  void begin_turn(uint64_t turn) {
    if (turn == turn_) return;
    turn_ = turn;
    left_ = limits::kRecordsPerTurn;
  }
  // While another thread has the session: nothing is there, and the socket is not asked.
  void set_deaf(bool deaf) { deaf_ = deaf; }
  // What comes next answers our first flight; in TLS 1.3 its last record is one of application data
  // by its outer type (RFC 8446 5.2), in TLS 1.2 none is.
  void flight_was_sent(bool tls13) { reads_ = tls13 ? Reads::Flight13 : Reads::Flight12; }
  bool is_empty() const { return ahead_begin_ == ahead_end_; }  // nothing is read ahead
  // From now on records without data are counted. During the handshake there is no data; what it
  // may take is bounded by OpenSSL, for each message, and by its deadline.
  void handshake_is_over() {
    counts_ = true;
    without_data_ = 0;
    reads_ = Reads::AsAsked;
  }
  void data_came() { without_data_ = 0; }
  // OpenSSL has put so many bytes of answers into the output since that was last empty.
  void set_answer_bytes(size_t bytes) { answer_bytes_ = bytes; }
  size_t answer_bytes() const { return answer_bytes_; }

  // The last read ended because the turn's records were used up, and not for want of any.
  bool turn_is_over() const { return turn_is_over_; }
  // Set when the client was found to flood: OpenSSL has then been given a header that no record may
  // have, so that it fails with an alert of its own; it sends none on request.
  std::optional<Flood> flood() const { return flood_; }

  int read(BIO* bio, char* out, int wanted);  // for the BIO's method alone

 private:
  static constexpr size_t kHeaderBytes = 5;  // RFC 8446 5.1
  // A ClientHello without ML-KEM, or a client's second flight without a certificate.
  static constexpr size_t kAheadBytes = 640;
  enum class Reads : uint8_t { Hello, Flight12, Flight13, AsAsked };

  os::Received receive(char* out, size_t wanted, bool between);
  os::Received receive_ahead();
  size_t whole_records(size_t bytes) const;
  std::optional<Flood> find_flood() const;
  void follow(const char* data, size_t bytes);

  int socket_ = -1;
  BIO* output_ = nullptr;
  uint64_t turn_ = 0;
  size_t left_ = limits::kRecordsPerTurn;
  size_t without_data_ = 0;
  size_t answer_bytes_ = 0;
  uint8_t header_[kHeaderBytes] = {};
  size_t header_bytes_ = 0;  // 0 with body_left_ 0: between two records
  size_t body_left_ = 0;
  char ahead_[kAheadBytes];
  size_t ahead_begin_ = 0, ahead_end_ = 0;
  Reads reads_ = Reads::Hello;
  bool drained_ = false;  // the last receive left nothing in the socket
  bool deaf_ = false;
  bool first_ = true, counts_ = false, turn_is_over_ = false;
  std::optional<Flood> flood_;
};

}  // namespace spliced::tls
