// SPDX-License-Identifier: Apache-2.0
// How OpenSSL reads a connection's socket, with three restrictions. It reads no byte beyond the
// handshake, because the kernel reads from there. The records of one turn of the engine are
// bounded, and so are records without data in a row: a single SSL_read(3) would go on over
// KeyUpdates, empty records and handshake messages in pieces of one byte as long as there are any.
// It can be stopped between two records, and continues later.
//
// OpenSSL asks for a record's header and then for its rest, two calls each. During the handshake,
// one or two receives here bring a whole flight.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/limits.hpp"
#include "os/socket_io.hpp"
#include "tls/record_output.hpp"

typedef struct bio_st BIO;

namespace spliced::tls {

// Requests for work that are not HTTP requests. They end the connection.
enum class Flood : uint8_t {
  RecordsWithoutData,  // more than limits::kRecordsWithoutDataMax in a row
  AnswersUnread,       // it causes answers (to KeyUpdate) and does not read them
  Renegotiation,       // with kernel TLS: it asks again after a refusal
};
inline constexpr size_t kFloods = 3;
inline constexpr const char* kFloodNames[kFloods] = {"records_without_data", "answers_unread",
                                                     "renegotiation"};

class RecordInput {
 public:
  // Makes a BIO that reads `socket` through this object, which must outlive it. Null without
  // memory. The caller keeps `socket` and `output`, which holds what OpenSSL has written and the
  // socket has not taken.
  BIO* open(int socket, const RecordOutput& output);

  // Begins a new turn of the engine: the number of records is counted from 0 again.
  void begin_turn(uint64_t turn) {
    if (turn == turn_) return;
    turn_ = turn;
    left_ = limits::kRecordsPerTurn;
  }
  // While another thread has the session: reads find nothing, and do not touch the socket.
  void set_deaf(bool deaf) { deaf_ = deaf; }
  // OpenSSL has sent our first flight, so the client's next flight is the answer to it. In TLS 1.3
  // its last record has the outer type of application data (RFC 8446 5.2); in TLS 1.2 no record of
  // it has.
  void flight_was_sent(bool tls13) { reads_ = tls13 ? Reads::Flight13 : Reads::Flight12; }
  bool is_empty() const { return ahead_begin_ == ahead_end_; }  // nothing is read ahead
  // From now on records without data are counted. A handshake has no data; OpenSSL bounds each of
  // its messages, and the deadline the whole.
  void handshake_is_over() {
    counts_ = true;
    without_data_ = 0;
    reads_ = Reads::AsAsked;
  }
  void data_came() { without_data_ = 0; }
  // Bytes of answers that OpenSSL has put into the output since it was last empty.
  void set_answer_bytes(size_t bytes) { answer_bytes_ = bytes; }
  size_t answer_bytes() const { return answer_bytes_; }

  // Whether the last read ended because the turn's records were used up, not because none had
  // arrived.
  bool turn_is_over() const { return turn_is_over_; }
  // Set when the client floods. OpenSSL is then given a header that no record may have, so that it
  // fails with an alert: it cannot be asked to send one.
  std::optional<Flood> flood() const { return flood_; }

  int read(BIO* bio, char* out, int wanted);  // for the BIO's method alone

 private:
  static constexpr size_t kHeaderBytes = 5;  // RFC 8446 5.1
  // Room for a ClientHello without ML-KEM, or for a client's second flight without a certificate.
  static constexpr size_t kAheadBytes = 640;
  enum class Reads : uint8_t { Hello, Flight12, Flight13, AsAsked };

  os::Received receive(char* out, size_t wanted, bool between);
  os::Received receive_ahead();
  size_t whole_records(size_t bytes) const;
  std::optional<Flood> find_flood() const;
  void follow(const char* data, size_t bytes);

  int socket_ = -1;
  const RecordOutput* output_ = nullptr;
  uint64_t turn_ = 0;
  size_t left_ = limits::kRecordsPerTurn;
  size_t without_data_ = 0;
  size_t answer_bytes_ = 0;
  uint8_t header_[kHeaderBytes] = {};
  size_t header_bytes_ = 0;  // 0, with body_left_ 0: between two records
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
