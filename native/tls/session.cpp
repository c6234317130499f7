// SPDX-License-Identifier: Apache-2.0
// See session.hpp.
#include "tls/session.hpp"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "base/clock.hpp"
#include "tls/groups.hpp"
#include "tls/pem.hpp"

namespace spliced::tls {
namespace {

constexpr size_t kRecordHeaderBytes = 5;
constexpr uint8_t kChangeCipherSpec = 20;
constexpr size_t kExplicitNonceBytes = 8;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// "LABEL client_random secret": copies the secret's bytes if the label matches.
bool take_secret(const char* line, const char* label, uint8_t* out, size_t capacity) {
  const size_t length = std::strlen(label);
  if (std::strncmp(line, label, length) != 0 || line[length] != ' ') return false;
  const char* hex = std::strrchr(line, ' ') + 1;
  const size_t bytes = std::strlen(hex) / 2;
  if (bytes > capacity) return false;
  for (size_t i = 0; i < bytes; i++)
    out[i] = static_cast<uint8_t>(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
  return true;
}

HandshakeFailure classify(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return HandshakeFailure::Other;
  const int reason = ERR_GET_REASON(code);
  // Alerts of the peer alone: OpenSSL's own reasons (ERR_R_INTERNAL_ERROR) have a flag far above.
  if (reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX)
    return HandshakeFailure::PeerAlert;
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
      return HandshakeFailure::NotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return HandshakeFailure::UnsupportedProtocol;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return HandshakeFailure::NoSharedCipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeFailure::NoApplicationProtocol;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return HandshakeFailure::PeerClosed;
    default:
      return HandshakeFailure::Other;
  }
}

}  // namespace

const char* const kHandshakeFailureNames[kHandshakeFailures] = {"timeout",
                                                                "peer_closed",
                                                                "not_tls",
                                                                "unsupported_protocol",
                                                                "no_shared_cipher",
                                                                "peer_alert",
                                                                "client_certificate",
                                                                "no_application_protocol",
                                                                "signature",
                                                                "other"};

std::unique_ptr<Session> Session::start(std::shared_ptr<const ContextGeneration> generation,
                                        int socket) {
  std::unique_ptr<Session> session(new Session());
  session->ssl_ = SSL_new(generation->default_context());
  BIO* output = session->output_.open();
  BIO* input = session->input_.open(socket, session->output_);
  if (session->ssl_ == nullptr || input == nullptr || output == nullptr) {
    BIO_free(input);
    BIO_free(output);
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_bio(session->ssl_, input, output);
  SSL_set_app_data(session->ssl_, session.get());
  SSL_set_accept_state(session->ssl_);
  session->socket_ = socket;
  session->generation_ = std::move(generation);
  return session;
}

Session::~Session() {
  SSL_free(ssl_);
  OPENSSL_cleanse(&secrets_, sizeof secrets_);
}

void Session::on_keylog(const SSL* ssl, const char* line) {
  auto* self = static_cast<Session*>(SSL_get_app_data(ssl));
  Secrets& s = self->secrets_;
  if (take_secret(line, "CLIENT_TRAFFIC_SECRET_0", s.client, sizeof s.client)) s.have_client = true;
  if (take_secret(line, "SERVER_TRAFFIC_SECRET_0", s.server, sizeof s.server)) s.have_server = true;
}

// Counts the whole records that OpenSSL has appended since the last call. TLS 1.3: those after the
// handshake are under the traffic keys (the ticket). TLS 1.2: those after ChangeCipherSpec are.
void Session::account_output() {
  const std::string_view unsent = output_.unsent();
  const bool tls13 = SSL_version(ssl_) == TLS1_3_VERSION;
  while (accounted_ + kRecordHeaderBytes <= unsent.size()) {
    const auto* header = reinterpret_cast<const uint8_t*>(unsent.data()) + accounted_;
    const size_t length = static_cast<size_t>(header[3]) << 8 | header[4];
    const bool counts = tls13 ? finished_ : sent_change_cipher_spec_;
    if (counts) records_sent_++;
    if (counts && !tls13 && length >= kExplicitNonceBytes) {
      last_explicit_nonce_ = 0;
      for (size_t i = 0; i < kExplicitNonceBytes; i++)
        last_explicit_nonce_ = last_explicit_nonce_ << 8 | header[kRecordHeaderBytes + i];
    }
    if (!tls13 && header[0] == kChangeCipherSpec) sent_change_cipher_spec_ = true;
    accounted_ += kRecordHeaderBytes + length;
  }
}

os::Moved Session::flush() {
  account_output();
  while (unsent_bytes() > 0) {
    const std::string_view unsent = output_.unsent();
    const os::Moved moved = os::send_bytes(socket_, unsent.data(), unsent.size(), false);
    if (moved.io != os::Io::Done) return moved;
    output_.sent(moved.bytes);
    accounted_ -= std::min(accounted_, moved.bytes);
    bytes_sent_ += moved.bytes;
  }
  input_.set_answer_bytes(0);
  return {};
}

size_t Session::unsent_bytes() const {
  return output_.unsent().size();
}

void Session::on_refused(const SSL* ssl, const X509* certificate) {
  auto* self = static_cast<Session*>(SSL_get_app_data(ssl));
  if (self == nullptr || certificate == nullptr) return;
  self->refused_subject_ = distinguished_name(X509_get_subject_name(certificate));
  self->refused_subject_.resize(
      std::min(self->refused_subject_.size(), ClientIdentity::kSubjectBytesMax));
}

Handshake Session::fail() {
  // The last error: the verification may have left others before it.
  const bool refused = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  failure_ = refused ? HandshakeFailure::ClientCertificate : classify(ERR_peek_error());
  if (refused) client_refusal_ = ClientTrust::refusal_of(ssl_);
  failure_code_ = ERR_peek_error();
  if (may_sign_) failure_reason_ = openssl_first_reason();
  ERR_clear_error();
  return Handshake::Failed;
}

bool Session::request_ticket() {
  ticket_asked_ = true;
  return SSL_version(ssl_) == TLS1_3_VERSION && SSL_new_session_ticket(ssl_) == 1;
}

Handshake Session::advance() {
  if (bytes_sent_ > 0) input_.flight_was_sent(SSL_version(ssl_) == TLS1_3_VERSION);
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    account_output();
    finished_ = true;
    input_.handshake_is_over();
    return Handshake::Done;
  }
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return input_.turn_is_over() ? Handshake::Busy : Handshake::NeedRead;
    case SSL_ERROR_WANT_WRITE:
      return Handshake::NeedWrite;
    case SSL_ERROR_WANT_X509_LOOKUP:  // the result of on_certificate()
      return Handshake::NeedSignature;
    case SSL_ERROR_SYSCALL:
      failure_ = HandshakeFailure::PeerClosed;
      ERR_clear_error();
      return Handshake::Failed;
    default:
      return fail();
  }
}

Handshake Session::handshake() {
  if (signed_ == Handshake::Failed) {
    (void)flush();
    return Handshake::Failed;
  }
  signed_.reset();
  for (;;) {
    const os::Moved flushed = flush();
    if (flushed.io == os::Io::WouldBlock) return Handshake::NeedWrite;
    if (flushed.io != os::Io::Done) {
      failure_ = HandshakeFailure::PeerClosed;
      return Handshake::Failed;
    }
    if (finished_ && (ticket_asked_ || !request_ticket())) return Handshake::Done;
    const Handshake step = advance();
    // Sends the alert, as far as the socket accepts it.
    if (step == Handshake::Failed) (void)flush();
    if (step == Handshake::Failed || step == Handshake::Busy || step == Handshake::NeedSignature)
      return step;
    if (step == Handshake::NeedRead && unsent_bytes() == 0) return step;
  }
}

bool Session::may_try_ticket(const SSL* ssl) {
  auto* self = static_cast<Session*>(SSL_get_app_data(ssl));
  return self == nullptr || self->tickets_tried_++ < limits::kTicketsTriedMax;
}

uint64_t Session::now_ms(const SSL* ssl) {
  const auto* self = static_cast<const Session*>(SSL_get_app_data(ssl));
  return self == nullptr ? base::now_ms() : self->now_ms_;
}

bool Session::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

bool Session::agreed_on_http2() const {
  const unsigned char* name = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(ssl_, &name, &bytes);
  return std::string_view(reinterpret_cast<const char*>(name), bytes) == "h2";
}

bool Session::asked_for_certificate() const {
  return generation_->trust() != nullptr;
}

std::unique_ptr<ClientIdentity> Session::client_identity() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  // A resumed session has both from its full handshake. The verdict alone proves nothing: it is
  // X509_V_OK if no certificate was sent.
  if (certificate == nullptr || !asked_for_certificate() ||
      SSL_get_verify_result(ssl_) != X509_V_OK)
    return nullptr;
  auto identity = std::make_unique<ClientIdentity>();
  if (!identify(certificate, *identity)) return nullptr;
  identity->trust = generation_->trust_id();
  return identity;
}

std::unique_ptr<const ServedName> Session::served_name() const {
  const char* sni = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return std::make_unique<const ServedName>(sni != nullptr ? sni : "", SSL_get_certificate(ssl_),
                                            asked_for_certificate());
}

const CipherSpec* Session::cipher() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  return cipher != nullptr ? find_cipher(SSL_CIPHER_get_protocol_id(cipher)) : nullptr;
}

size_t Session::group() const {
  return group_of(ssl_);
}

bool Session::has_fragment_limit() const {
  const SSL_SESSION* session = SSL_get_session(ssl_);
  const uint8_t code = session != nullptr ? SSL_SESSION_get_max_fragment_length(session) : 0;
  return code >= TLSEXT_max_fragment_length_512 && code <= TLSEXT_max_fragment_length_4096;
}

bool Session::quiescent() const {
  return finished_ && SSL_has_pending(ssl_) == 0 && input_.is_empty() && unsent_bytes() == 0;
}

bool Session::export_keys(const CipherSpec& spec, TrafficKeys& transmit,
                          TrafficKeys& receive) const {
  transmit.sequence = records_sent_;
  if (spec.version == Version::Tls13) {
    return secrets_.have_client && secrets_.have_server &&
           derive_tls13(spec, secrets_.server, transmit) &&
           derive_tls13(spec, secrets_.client, receive);
  }
  receive.sequence = 1;  // the client's Finished was record 0
  uint8_t master[48], client_random[32], server_random[32];
  const SSL_SESSION* session = SSL_get_session(ssl_);
  const bool ok =
      session != nullptr &&
      SSL_SESSION_get_master_key(session, master, sizeof master) == sizeof master &&
      SSL_get_client_random(ssl_, client_random, sizeof client_random) == sizeof client_random &&
      SSL_get_server_random(ssl_, server_random, sizeof server_random) == sizeof server_random &&
      derive_tls12(spec, {master, client_random, server_random}, receive, transmit);
  OPENSSL_cleanse(master, sizeof master);
  // OpenSSL starts the explicit nonce at random. Continue behind it, so that none is used twice.
  uint64_t nonce = last_explicit_nonce_ + 1;
  for (size_t i = 0; i < spec.explicit_iv_bytes; i++, nonce >>= 8)
    transmit.iv[sizeof transmit.iv - 1 - i] = static_cast<uint8_t>(nonce);
  return ok;
}

std::unique_ptr<TrafficSecrets> Session::export_secrets() const {
  return std::make_unique<TrafficSecrets>(secrets_.server, secrets_.client);
}

os::Received Session::read(char* out, size_t capacity) {
  ERR_clear_error();
  errno = 0;
  size_t bytes = 0;
  const size_t before = unsent_bytes();
  const int result = SSL_read_ex(ssl_, out, capacity, &bytes);
  input_.set_answer_bytes(input_.answer_bytes() + unsent_bytes() - before);
  const int error = SSL_get_error(ssl_, result);
  if (unsent_bytes() > 0) (void)flush();  // the answer to a KeyUpdate
  if (result == 1) {
    input_.data_came();
    return {os::Io::Done, os::RecordType::ApplicationData, bytes, 0};
  }
  switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      if (input_.turn_is_over()) return {os::Io::Done, os::RecordType::ApplicationData, 0, 0};
      return {os::Io::WouldBlock, {}, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {os::Io::Eof, {}, 0, 0};
    case SSL_ERROR_SYSCALL:
      return {os::Io::Failed, {}, 0, errno != 0 ? errno : ECONNRESET};
    default:
      break;
  }
  // A FIN without close_notify: the peer has ended all the same. Any other error left an alert in
  // the output.
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const bool eof = reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  openssl_had_enough_ = reason == SSL_R_TOO_MANY_WARN_ALERTS || reason == SSL_R_RECORD_TOO_SMALL;
  ERR_clear_error();
  (void)flush();
  return {eof ? os::Io::Eof : os::Io::Failed, {}, 0, EBADMSG};
}

std::optional<Flood> Session::flood() const {
  return openssl_had_enough_ ? Flood::RecordsWithoutData : input_.flood();
}

os::Moved Session::write(const char* data, size_t bytes) {
  if (is_full()) {
    const os::Moved flushed = flush();
    if (flushed.io != os::Io::Done) return flushed;
  }
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(ssl_, data, bytes, &written) != 1) {
    ERR_clear_error();
    return {os::Io::Failed, 0, EPROTO};
  }
  return {os::Io::Done, written, 0};
}

os::Moved Session::close_notify() {
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
  return flush();
}

}  // namespace spliced::tls
