// SPDX-License-Identifier: Apache-2.0
// See client.hpp.
#include "tls/client.hpp"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/groups.hpp"

namespace spliced::tls {

ClientContext::ClientContext() : context_(SSL_CTX_new(TLS_client_method())) {
  if (context_ == nullptr) return;
  SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
  // Every group, whichever the service was told to use.
  GroupList groups;
  groups.used = available_groups();
  SSL_CTX_set1_groups_list(context_, groups.text().c_str());
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
}

ClientContext::~ClientContext() {
  SSL_CTX_free(context_);
}

std::unique_ptr<Client> Client::start(const ClientContext& context, int socket) {
  SSL* ssl = context.get() != nullptr ? SSL_new(context.get()) : nullptr;
  if (ssl == nullptr || SSL_set_fd(ssl, socket) != 1) {
    SSL_free(ssl);
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_connect_state(ssl);
  return std::unique_ptr<Client>(new Client(ssl));
}

Client::~Client() {
  SSL_free(ssl_);
}

Handshake Client::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Handshake::Done;
  const int error = SSL_get_error(ssl_, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Handshake::NeedRead;
  if (error == SSL_ERROR_WANT_WRITE) return Handshake::NeedWrite;
  return Handshake::Failed;
}

os::Received Client::read(char* out, size_t capacity) {
  ERR_clear_error();
  size_t bytes = 0;
  const int result = SSL_read_ex(ssl_, out, capacity, &bytes);
  if (result == 1) return {os::Io::Done, os::RecordType::ApplicationData, bytes, 0};
  const int error = SSL_get_error(ssl_, result);
  const int reason = ERR_GET_REASON(ERR_peek_error());
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
    return {os::Io::WouldBlock, {}, 0, 0};
  // A bad record is not an end of the stream: a broken cipher engine would send one.
  const bool ended = error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL ||
                     reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  return {ended ? os::Io::Eof : os::Io::Failed, {}, 0, ended ? 0 : EBADMSG};
}

bool Client::write(const char* data, size_t bytes) {
  ERR_clear_error();
  size_t written = 0;
  const bool done = SSL_write_ex(ssl_, data, bytes, &written) == 1;
  ERR_clear_error();
  return done;
}

std::string Client::peer_fingerprint() const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  if (certificate == nullptr) return "";
  const bool done = X509_digest(certificate, EVP_sha256(), digest, &bytes) == 1;
  X509_free(certificate);
  ERR_clear_error();
  std::string text;
  for (unsigned i = 0; done && i < bytes; i++) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    if (i > 0) text += ':';
    text += {kDigits[digest[i] >> 4], kDigits[digest[i] & 15]};
  }
  return text;
}

}  // namespace spliced::tls
