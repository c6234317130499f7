// SPDX-License-Identifier: Apache-2.0
// See fake_tls.hpp.
#include "fakes/fake_tls.hpp"

#include <errno.h>

#include <algorithm>
#include <map>
#include <string>

#include "fakes/fake_kernel.hpp"
#include "fakes/wire.hpp"
#include "tls/ktls.hpp"
#include "tls/sha256.hpp"
#include "tls/signing.hpp"
#include "tls/websocket_key.hpp"

namespace spliced::fakes {
namespace {

struct Live {
  std::string output;  // what the socket has not taken yet
  bool begun = false, said_goodbye = false;
};

std::map<int, TlsScript> scripts;
std::map<int, Live> sessions;
size_t secrets_alive = 0;
std::map<const tls::ContextGeneration*, uint8_t> generations;  // what their trust differs by

uint32_t overhead(int fd) {
  return tls::kCiphers[scripts[fd].cipher].record_overhead_bytes();
}

}  // namespace

TlsScript& tls_script(int fd) {
  return scripts[fd];
}
void forget_tls_scripts() {
  scripts.clear();
}
size_t live_sessions() {
  return sessions.size();
}
size_t live_secrets() {
  return secrets_alive;
}
std::shared_ptr<const tls::ContextGeneration> new_generation() {
  tls::TicketKeys tickets(0);
  std::string error;
  return tls::ContextGeneration::build({}, nullptr, tickets, error);
}

}  // namespace spliced::fakes

namespace spliced::tls {

using fakes::generations;
using fakes::overhead;
using fakes::scripts;
using fakes::sessions;

const char* const kFallbackNames[kFallbacks] = {"", "", "", "", "", "", "", ""};
const char* const kHandshakeFailureNames[kHandshakeFailures] = {"", "", "", "", "",
                                                                "", "", "", "", ""};

TicketKeys::TicketKeys(uint64_t) {}
TicketKeys::Key::~Key() = default;

std::shared_ptr<const ContextGeneration> ContextGeneration::build(
    const std::vector<CertificatePem>&, Trust trust, TicketKeys&, std::string&,
    const std::vector<std::string>&, bool) {
  static uint8_t built = 0;
  std::shared_ptr<ContextGeneration> generation(
      new ContextGeneration(nullptr, std::move(trust), "", false));
  generations[generation.get()] = ++built;
  return generation;
}

ContextGeneration::~ContextGeneration() {
  generations.erase(this);
}

TrustId ContextGeneration::trust_id() const {
  return {generations[this]};
}

std::unique_ptr<Session> Session::start(std::shared_ptr<const ContextGeneration> generation,
                                        int socket) {
  if (scripts[socket].start_fails) return nullptr;
  std::unique_ptr<Session> session(new Session());
  session->socket_ = socket;
  session->generation_ = std::move(generation);
  sessions[socket] = {};
  return session;
}

Session::~Session() {
  sessions.erase(socket_);
}

bool Session::asked_for_certificate() const {
  return scripts[socket_].asked_for_certificate;
}

std::unique_ptr<ClientIdentity> Session::client_identity() const {
  const fakes::TlsScript& script = scripts[socket_];
  if (script.client.empty()) return nullptr;
  auto identity = std::make_unique<ClientIdentity>();
  identity->subject = script.client;
  if (generation_) identity->trust = generation_->trust_id();
  return identity;
}

std::unique_ptr<const ServedName> Session::served_name() const {
  return std::make_unique<const ServedName>("", nullptr, asked_for_certificate());
}
// RFC 6455 1.3's example.
WebSocketKey new_websocket_key() {
  return {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="};
}
ServedName::ServedName(std::string_view, X509*, bool asked)
    : leaf_(nullptr), asked_for_certificate_(asked) {}
ServedName::~ServedName() = default;
bool ServedName::is_for(std::string_view) const {
  return true;
}
bool ServedName::is_misdirected(std::string_view) const {
  return false;
}

bool Session::agreed_on_http2() const {
  return scripts[socket_].http2;
}
bool Session::resumed() const {
  return scripts[socket_].resumed;
}
const CipherSpec* Session::cipher() const {
  return &kCiphers[scripts[socket_].cipher];
}
size_t Session::group() const {
  return scripts[socket_].group;
}
size_t Session::unsent_bytes() const {
  return sessions[socket_].output.size();
}

os::Moved Session::flush() {
  std::string& output = sessions[socket_].output;
  while (!output.empty()) {
    const os::Moved moved = os::send_bytes(socket_, output.data(), output.size(), false);
    if (moved.io != os::Io::Done) return moved;
    output.erase(0, moved.bytes);
    bytes_sent_ += moved.bytes;
  }
  return {};
}

Handshake Session::handshake() {
  fakes::TlsScript& script = scripts[socket_];
  fakes::Live& live = sessions[socket_];
  if (!live.begun)
    live.output = fakes::wire::record(fakes::wire::kHandshake,
                                      std::string(script.handshake_bytes, 'h'), overhead(socket_));
  live.begun = true;
  const os::Moved moved = flush();
  if (moved.io == os::Io::WouldBlock) return Handshake::NeedWrite;
  if (moved.io == os::Io::Failed) {
    failure_ = HandshakeFailure::PeerClosed;
    return Handshake::Failed;
  }
  Handshake verdict = Handshake::Done;
  if (!script.handshake.empty()) {
    verdict = script.handshake.front();
    script.handshake.pop_front();
  }
  if (verdict != Handshake::Failed) return verdict;
  failure_ = script.failure;
  client_refusal_ = script.client_refusal;
  refused_subject_ = script.refused_subject;
  const char alert[] = {2, 40};
  live.output = fakes::wire::record(fakes::wire::kAlert, {alert, 2}, overhead(socket_));
  (void)flush();
  return verdict;
}

Signature Session::sign(std::string&) {
  return Signature::Made;
}
Signature try_key(EVP_PKEY*, std::string&) {
  return Signature::Made;
}

std::optional<Flood> Session::flood() const {
  return std::nullopt;
}

os::Received Session::read(char* out, size_t capacity) {
  const os::Received got = os::receive_record(socket_, out, capacity);
  if (got.io != os::Io::Done || got.type == os::RecordType::ApplicationData) return got;
  const bool goodbye = got.type == os::RecordType::Alert && got.bytes == 2 && out[1] == 0;
  if (goodbye) return {os::Io::Eof, {}, 0, 0};
  return {os::Io::Failed, {}, 0, EBADMSG};
}

os::Moved Session::write(const char* data, size_t bytes) {
  if (is_full()) {
    const os::Moved flushed = flush();
    if (flushed.io != os::Io::Done) return flushed;
  }
  constexpr size_t kRecordBytes = 16384;
  for (size_t at = 0; at < bytes; at += kRecordBytes)
    sessions[socket_].output +=
        fakes::wire::record(fakes::wire::kApplicationData,
                            {data + at, std::min(kRecordBytes, bytes - at)}, overhead(socket_));
  return {os::Io::Done, bytes, 0};
}

os::Moved Session::close_notify() {
  fakes::Live& live = sessions[socket_];
  const char alert[] = {1, 0};
  if (!live.said_goodbye)
    live.output += fakes::wire::record(fakes::wire::kAlert, {alert, 2}, overhead(socket_));
  live.said_goodbye = true;
  return flush();
}

Promotion promote(int socket, const Session&, const KernelSupport&,
                  std::optional<Fallback> unwanted) {
  const fakes::TlsScript& script = scripts[socket];
  const CipherSpec* cipher = &kCiphers[script.cipher];
  if (unwanted) return {Promotion::Outcome::UserSpace, *unwanted, cipher, 0, 0};
  fakes::Socket& s = fakes::kernel().at(socket);
  Promotion promotion{script.outcome, script.fallback, cipher, script.transmit_sequence,
                      script.receive_sequence};
  if (script.outcome != Promotion::Outcome::Kernel) return promotion;
  s.promote(cipher->record_overhead_bytes(), script.transmit_sequence, script.receive_sequence);
  const uint8_t none[TrafficSecrets::kBytesMax] = {};
  if (s.takes_new_keys && cipher->version == Version::Tls13)
    promotion.secrets = std::make_unique<TrafficSecrets>(none, none);
  return promotion;
}

TrafficSecrets::TrafficSecrets(const uint8_t*, const uint8_t*) {
  fakes::secrets_alive++;
}
TrafficSecrets::~TrafficSecrets() {
  fakes::secrets_alive--;
}
int TrafficSecrets::update(int socket, ktls::Direction direction, const CipherSpec&) {
  fakes::Socket* s = fakes::kernel().use(socket, "TrafficSecrets::update");
  const bool transmit = direction == ktls::Direction::Transmit;
  const fakes::TlsScript& script = scripts[socket];
  if (s == nullptr || (transmit ? script.new_transmit_key_fails : script.new_receive_key_fails))
    return EBUSY;
  const std::string fault = s->new_key(transmit);
  if (!fault.empty()) fakes::kernel().violations.add(fault);
  return 0;
}

// The text itself is its digest: as different as what is digested.
struct Sha256::State {
  std::string text;
};

Sha256::Sha256() : state_(new State()) {}

Sha256::~Sha256() = default;

bool Sha256::update(const void* data, size_t bytes) {
  state_->text.append(static_cast<const char*>(data), bytes);
  return true;
}

std::string Sha256::finish() {
  return state_->text;
}

bool ktls::next_sequence(int socket, Direction direction, const CipherSpec&, uint64_t& out) {
  fakes::Socket* s = fakes::kernel().use(socket, "next_sequence");
  return s != nullptr && s->sequence(direction == Direction::Transmit, out);
}

}  // namespace spliced::tls
