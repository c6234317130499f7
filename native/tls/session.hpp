// SPDX-License-Identifier: Apache-2.0
// One connection's OpenSSL object: the handshake a step at a time, and user-space TLS for the life
// of the connection where the kernel does not take over.
//
// OpenSSL reads the socket itself and never beyond the record it needs (no read-ahead), so what the
// client sent behind its handshake is still in the socket for the kernel. What OpenSSL writes goes
// through a memory BIO and our hands: that is how the records under the traffic keys are counted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "os/socket_io.hpp"
#include "tls/client_identity.hpp"
#include "tls/context.hpp"
#include "tls/traffic_keys.hpp"

typedef struct ssl_st SSL;
typedef struct bio_st BIO;

namespace spliced::tls {

enum class Handshake : uint8_t { Done, NeedRead, NeedWrite, Failed };

enum class HandshakeFailure : uint8_t {
  Timeout,
  PeerClosed,
  NotTls,
  UnsupportedProtocol,
  NoSharedCipher,
  PeerAlert,
  ClientCertificate,  // client_refusal() says why
  Other,
};
inline constexpr size_t kHandshakeFailures = 8;
extern const char* const kHandshakeFailureNames[kHandshakeFailures];

class Session {
 public:
  // Null when OpenSSL is out of memory. `socket` stays the caller's.
  static std::unique_ptr<Session> start(std::shared_ptr<const ContextGeneration> generation,
                                        int socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Handshake handshake();
  HandshakeFailure failure() const { return failure_; }  // after Failed
  ClientRefusal client_refusal() const { return client_refusal_; }
  // Of the certificate that was refused, as it names itself; at most kSubjectBytesMax.
  const std::string& refused_subject() const { return refused_subject_; }
  bool resumed() const;
  // After Handshake::Done. Null when the client showed no certificate, or was not asked for one.
  std::unique_ptr<ClientIdentity> client_identity() const;
  bool asked_for_certificate() const;

  // What the promotion needs to know; all after Handshake::Done.
  const CipherSpec* cipher() const;
  bool quiescent() const;  // nothing buffered in either direction
  // Keys and sequence numbers of the next records in both directions.
  bool export_keys(const CipherSpec& spec, TrafficKeys& transmit, TrafficKeys& receive) const;

  // User-space TLS. write() takes all or nothing; what the socket does not take at once stays here,
  // and write() answers WouldBlock until flush() has sent it.
  os::Received read(char* out, size_t capacity);
  os::Moved write(const char* data, size_t bytes);
  os::Moved close_notify();
  os::Moved flush();
  size_t unsent_bytes() const;

  static void on_keylog(const SSL* ssl, const char* line);
  // During the verification, which keeps nothing of a certificate that it refuses.
  static void on_refused(const SSL* ssl, const X509* certificate);

 private:
  Session() = default;
  Handshake advance();
  Handshake fail();
  void account_output();
  bool request_ticket();

  struct Secrets {
    uint8_t client[48] = {}, server[48] = {};
    bool have_client = false, have_server = false;
  };

  std::shared_ptr<const ContextGeneration> generation_;
  SSL* ssl_ = nullptr;
  BIO* output_ = nullptr;  // owned by ssl_
  int socket_ = -1;
  size_t sent_ = 0;       // of the output BIO's content
  size_t accounted_ = 0;  // likewise: seen by account_output
  bool finished_ = false, ticket_asked_ = false;
  bool sent_change_cipher_spec_ = false;
  uint64_t records_sent_ = 0;         // under the keys that the kernel will get
  uint64_t last_explicit_nonce_ = 0;  // TLS 1.2 AES-GCM
  HandshakeFailure failure_ = HandshakeFailure::Other;
  ClientRefusal client_refusal_ = ClientRefusal::Other;
  std::string refused_subject_;
  Secrets secrets_;
};

}  // namespace spliced::tls
