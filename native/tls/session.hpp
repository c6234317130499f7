// SPDX-License-Identifier: Apache-2.0
// One connection's OpenSSL object: the handshake a step at a time, and user-space TLS for the life
// of the connection where the kernel does not take over.
//
// OpenSSL reads the socket through record_input.hpp and never beyond the record it needs (no
// read-ahead), so what the client sent behind its handshake is still in the socket for the kernel.
// What OpenSSL writes goes through a memory BIO and our hands: that is how the records under the
// traffic keys are counted.
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
#include "tls/served_name.hpp"
#include "tls/traffic_keys.hpp"
#include "tls/traffic_secrets.hpp"

typedef struct ssl_st SSL;
typedef struct bio_st BIO;

namespace spliced::tls {

// Busy: there may be more to read, but this turn's records are used up. NeedSignature: of a key
// that is not in memory; sign() is next, on a thread that may wait.
enum class Handshake : uint8_t { Done, NeedRead, NeedWrite, Busy, NeedSignature, Failed };

// What came of a step that might need a signature.
enum class Signature : uint8_t {
  Made,
  NotNeeded,  // the client was asked again (HelloRetryRequest), or refused for what it offers
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
  NoApplicationProtocol,  // ALPN without one that we speak
  Signature,              // the private key is not in memory, and its token does not sign
  Other,
};
inline constexpr size_t kHandshakeFailures = 10;
extern const char* const kHandshakeFailureNames[kHandshakeFailures];

class Session {
 public:
  // Null when OpenSSL is out of memory. `socket` stays the caller's.
  static std::unique_ptr<Session> start(std::shared_ptr<const ContextGeneration> generation,
                                        int socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // To be called in each turn of the engine before the session is used, with the turn's number.
  void begin_turn(uint64_t turn) { input_.begin_turn(turn); }

  Handshake handshake();
  // After NeedSignature, on any thread, which has the session for itself meanwhile: goes on without
  // touching the socket, over the signature, which may take as long as the token likes. What came
  // of it, an alert too, is sent by handshake(), which is next. After Failed `reason` has one
  // sentence.
  Signature sign(std::string& reason);
  // After NeedSignature: by which key. After Done: which fails, so that another certificate took
  // over; null: none did.
  const RemoteKey& remote_key() const { return remote_key_; }
  HandshakeFailure failure() const { return failure_; }  // after Failed
  ClientRefusal client_refusal() const { return client_refusal_; }
  // Of the certificate that was refused, as it names itself; at most kSubjectBytesMax.
  const std::string& refused_subject() const { return refused_subject_; }
  bool resumed() const;
  bool agreed_on_http2() const;  // by ALPN; after Handshake::Done
  // After Handshake::Done. Null when the client showed no certificate, or was not asked for one.
  std::unique_ptr<ClientIdentity> client_identity() const;
  bool asked_for_certificate() const;
  std::unique_ptr<const ServedName> served_name() const;  // after Handshake::Done

  // What the promotion needs to know; all after Handshake::Done.
  const CipherSpec* cipher() const;
  // Of the key exchange, as group_of() in groups.hpp says it.
  size_t group() const;
  // A maximum fragment length was negotiated (RFC 6066 4): OpenSSL makes no longer records, and the
  // kernel does (TLS_TX_MAX_PAYLOAD_LEN is too new to rely on). Record size limits (RFC 8449)
  // OpenSSL does not negotiate.
  bool has_fragment_limit() const;
  bool quiescent() const;  // nothing buffered in either direction
  // Keys and sequence numbers of the next records in both directions.
  bool export_keys(const CipherSpec& spec, TrafficKeys& transmit, TrafficKeys& receive) const;
  // What the keys after these come from. TLS 1.3 alone.
  std::unique_ptr<TrafficSecrets> export_secrets() const;

  // User-space TLS. write() takes all or nothing; what the socket does not take at once stays here,
  // and write() answers WouldBlock until flush() has sent it. read() gives no bytes when the turn's
  // records are used up: there may be more. Failed with EBADMSG: OpenSSL refused what came, and its
  // alert waits in the output, or is sent; flood() says whether that was too much of something.
  os::Received read(char* out, size_t capacity);
  std::optional<Flood> flood() const;
  os::Moved write(const char* data, size_t bytes);
  os::Moved close_notify();
  os::Moved flush();
  size_t unsent_bytes() const;
  uint64_t bytes_sent() const { return bytes_sent_; }  // that the socket took, in all

  // OpenSSL asks for a certificate before anything is signed (SSL_CTX_set_cert_cb(3)). The
  // argument is the session's generation.
  static int on_certificate(SSL* ssl, void* generation);
  static void on_keylog(const SSL* ssl, const char* line);
  // During the verification, which keeps nothing of a certificate that it refuses.
  static void on_refused(const SSL* ssl, const X509* certificate);
  // A ClientHello may offer a thousand tickets, each of them worth a MAC: so many are looked at.
  static bool may_try_ticket(const SSL* ssl);

 private:
  Session() = default;
  Handshake advance();
  Handshake fail();
  bool failed_below(unsigned long code) const;
  bool asks_again() const;
  void account_output();
  size_t output_bytes() const;
  bool request_ticket();

  struct Secrets {
    uint8_t client[TrafficSecrets::kBytesMax] = {}, server[TrafficSecrets::kBytesMax] = {};
    bool have_client = false, have_server = false;
  };

  std::shared_ptr<const ContextGeneration> generation_;
  SSL* ssl_ = nullptr;
  RecordInput input_;      // ssl_'s BIO reads through it
  BIO* output_ = nullptr;  // owned by ssl_
  int socket_ = -1;
  size_t sent_ = 0;       // of the output BIO's content
  size_t accounted_ = 0;  // likewise: seen by account_output
  bool finished_ = false, ticket_asked_ = false;
  bool sent_change_cipher_spec_ = false;
  bool may_sign_ = false;            // in sign(): the signature may be waited for
  std::optional<Handshake> signed_;  // what came of sign(), until handshake() has seen it
  RemoteKey remote_key_;
  unsigned long failure_code_ = 0;   // OpenSSL's first
  std::string failure_reason_;       // of sign()
  bool openssl_had_enough_ = false;  // of warnings, or of empty records: its own limits
  int tickets_tried_ = 0;
  uint64_t bytes_sent_ = 0;
  uint64_t records_sent_ = 0;         // under the keys that the kernel will get
  uint64_t last_explicit_nonce_ = 0;  // TLS 1.2 AES-GCM
  HandshakeFailure failure_ = HandshakeFailure::Other;
  ClientRefusal client_refusal_ = ClientRefusal::Other;
  std::string refused_subject_;
  Secrets secrets_;
};

}  // namespace spliced::tls
