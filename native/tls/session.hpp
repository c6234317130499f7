// SPDX-License-Identifier: Apache-2.0
// One connection's OpenSSL object: the handshake, one step at a time, and user-space TLS for the
// life of the connection if the kernel does not take over.
//
// OpenSSL reads the socket through record_input.hpp and never beyond the record it needs (no
// read-ahead), so that what the client sent behind its handshake is still in the socket for the
// kernel. What OpenSSL writes goes into record_output.hpp and from there, by this class, to the
// socket: that is how the records under the traffic keys are counted, and how several leave by one
// call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "os/socket_io.hpp"
#include "tls/client_identity.hpp"
#include "tls/context.hpp"
#include "tls/key_health.hpp"
#include "tls/record_input.hpp"
#include "tls/record_output.hpp"
#include "tls/served_name.hpp"
#include "tls/traffic_keys.hpp"
#include "tls/traffic_secrets.hpp"

typedef struct ssl_st SSL;
typedef struct bio_st BIO;

namespace spliced::tls {

// Busy: there may be more to read, but this turn's records are used up. NeedSignature: the key is
// not in memory; call sign() next, on a thread that may wait.
enum class Handshake : uint8_t { Done, NeedRead, NeedWrite, Busy, NeedSignature, Failed };

// Result of a step that may need a signature.
enum class Signature : uint8_t {
  Made,
  NotNeeded,  // the client was sent a HelloRetryRequest, or was refused
  Failed,     // the token did not sign
};

enum class HandshakeFailure : uint8_t {
  Timeout,
  PeerClosed,
  NotTls,
  UnsupportedProtocol,
  NoSharedCipher,
  PeerAlert,
  ClientCertificate,      // client_refusal() says why
  NoApplicationProtocol,  // no protocol of the client's ALPN is spoken here
  Signature,              // the private key is not in memory, and its token did not sign
  Other,
};
inline constexpr size_t kHandshakeFailures = 10;
extern const char* const kHandshakeFailureNames[kHandshakeFailures];

class Session {
 public:
  // Null when OpenSSL is out of memory. The caller keeps `socket`.
  static std::unique_ptr<Session> start(std::shared_ptr<const ContextGeneration> generation,
                                        int socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // To be called before the session is used in a turn of the engine, with the turn's number and
  // time (base::now_ms()).
  void begin_turn(uint64_t turn, uint64_t now_ms) {
    input_.begin_turn(turn);
    now_ms_ = now_ms;
  }

  Handshake handshake();
  // To be called after NeedSignature, on any thread, which has the session alone meanwhile.
  // Continues the handshake, including the signature, for as long as the token takes, and does not
  // touch the socket. Call handshake() next: it sends the result, or an alert. After Failed
  // `reason` is one sentence.
  Signature sign(std::string& reason);
  // After NeedSignature: the key that is to sign. After Done: the key that failed, so that another
  // certificate was used; null: none failed.
  const RemoteKey& remote_key() const { return remote_key_; }
  HandshakeFailure failure() const { return failure_; }  // after Failed
  ClientRefusal client_refusal() const { return client_refusal_; }
  // Subject of the certificate that was refused, as the certificate itself says; at most
  // kSubjectBytesMax.
  const std::string& refused_subject() const { return refused_subject_; }
  bool resumed() const;
  bool agreed_on_http2() const;  // in ALPN; after Handshake::Done
  // After Handshake::Done. Null if the client sent no certificate.
  std::unique_ptr<ClientIdentity> client_identity() const;
  bool asked_for_certificate() const;
  std::unique_ptr<const ServedName> served_name() const;  // after Handshake::Done

  // Facts for the promotion; all after Handshake::Done.
  const CipherSpec* cipher() const;
  // The group of the key exchange, see group_of() in groups.hpp.
  size_t group() const;
  // A maximum fragment length was negotiated (RFC 6066 4). OpenSSL keeps to it; the kernel does not
  // (TLS_TX_MAX_PAYLOAD_LEN is too new to rely on). OpenSSL does not negotiate record size limits
  // (RFC 8449).
  bool has_fragment_limit() const;
  bool quiescent() const;  // nothing buffered in either direction
  // Keys, and the sequence numbers of the next records, of both directions.
  bool export_keys(const CipherSpec& spec, TrafficKeys& transmit, TrafficKeys& receive) const;
  // The secrets from which later keys are derived. TLS 1.3 alone.
  std::unique_ptr<TrafficSecrets> export_secrets() const;

  // User-space TLS. write() takes all or nothing, and flush() sends it: several records by one
  // call. If is_full(), write() begins with a flush(), and returns WouldBlock until the socket has
  // accepted all. rest() frees the output's memory, when nothing more follows soon. read() returns
  // no bytes when the turn's records are used up, though there may be more. Failed with EBADMSG:
  // OpenSSL refused the input, and its alert waits in the output or has been sent; flood() says
  // whether the input was a flood.
  os::Received read(char* out, size_t capacity);
  std::optional<Flood> flood() const;
  os::Moved write(const char* data, size_t bytes);
  os::Moved close_notify();
  os::Moved flush();
  void rest() { output_.release(); }
  size_t unsent_bytes() const;
  bool is_full() const { return unsent_bytes() >= limits::kSendBytes; }
  uint64_t bytes_sent() const { return bytes_sent_; }  // bytes that the socket accepted, in all

  // OpenSSL calls this before anything is signed, to choose a certificate (SSL_CTX_set_cert_cb(3)).
  // The argument is the session's generation.
  static int on_certificate(SSL* ssl, void* generation);
  static void on_keylog(const SSL* ssl, const char* line);
  // Called during the verification, because OpenSSL keeps nothing of a certificate that it refuses.
  static void on_refused(const SSL* ssl, const X509* certificate);
  // A ClientHello may offer a thousand tickets, and each costs a MAC. So only a bounded number is
  // tried.
  static bool may_try_ticket(const SSL* ssl);
  // The turn's time, for OpenSSL's callbacks. They would read the clock twice a resumption.
  static uint64_t now_ms(const SSL* ssl);

 private:
  Session() = default;
  Handshake advance();
  Handshake fail();
  bool failed_below(unsigned long code) const;
  bool asks_again() const;
  void account_output();
  bool request_ticket();

  struct Secrets {
    uint8_t client[TrafficSecrets::kBytesMax] = {}, server[TrafficSecrets::kBytesMax] = {};
    bool have_client = false, have_server = false;
  };

  std::shared_ptr<const ContextGeneration> generation_;
  SSL* ssl_ = nullptr;
  RecordInput input_;    // ssl_'s BIO reads through it
  RecordOutput output_;  // ssl_'s BIO writes to it
  int socket_ = -1;
  size_t accounted_ = 0;  // of the output's unsent bytes: account_output() has seen them
  bool finished_ = false, ticket_asked_ = false;
  bool sent_change_cipher_spec_ = false;
  bool may_sign_ = false;            // in sign(): waiting for the signature is allowed
  std::optional<Handshake> signed_;  // the result of sign(), until handshake() has returned it
  RemoteKey remote_key_;
  unsigned long failure_code_ = 0;   // OpenSSL's first
  std::string failure_reason_;       // of sign()
  bool openssl_had_enough_ = false;  // its own limit of warnings or empty records was exceeded
  int tickets_tried_ = 0;
  uint64_t now_ms_ = 0;  // when the turn began
  uint64_t bytes_sent_ = 0;
  uint64_t records_sent_ = 0;         // under the keys that the kernel will get
  uint64_t last_explicit_nonce_ = 0;  // TLS 1.2 AES-GCM
  HandshakeFailure failure_ = HandshakeFailure::Other;
  ClientRefusal client_refusal_ = ClientRefusal::Other;
  std::string refused_subject_;
  Secrets secrets_;
};

}  // namespace spliced::tls
