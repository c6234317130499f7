// SPDX-License-Identifier: Apache-2.0
// See options.hpp.
#include "seam/options.hpp"

#include "seam/site_options.hpp"
#include "seam/values.hpp"

namespace spliced::seam {
namespace {

constexpr uint32_t kCertificatesMax = 64;
// The first number after the standard streams, see sd_listen_fds(3).
constexpr uint64_t kInheritedFdMin = 3;
constexpr uint32_t kTimeoutMsMax = 24 * 3600 * 1000;
constexpr uint32_t kProtocolsMax = 2;
constexpr uint64_t kWindowBytesMax = 1ull << 30;

// True if the field equals `yes`, false if it equals `no`.
bool either(const Napi::Object& object, const char* field, const char* yes, const char* no) {
  const std::string value = text(object, field);
  if (value != yes && value != no)
    invalid(object.Env(), field, std::string("\"") + yes + "\" or \"" + no + "\"");
  return value == yes;
}

Napi::Array array(Napi::Env env, const Napi::Value& value, const char* field, uint32_t most) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0 ||
      value.As<Napi::Array>().Length() > most)
    invalid(env, field, "an array of 1 to " + std::to_string(most) + " entries");
  return value.As<Napi::Array>();
}

// Each entry has an address and a port, or the descriptor of a listening socket.
std::vector<os::ListenAddress> read_listeners(Napi::Env env, const Napi::Value& value) {
  const Napi::Array list = array(env, value, "listeners", limits::kListenersMax);
  std::vector<os::ListenAddress> listeners;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object entry = object_at(list, i, "listeners");
    os::ListenAddress wanted;
    if (entry.Get("fd").IsUndefined()) {
      wanted.address = text(entry, "address");
      wanted.port = static_cast<uint16_t>(integer(entry, "port", 0, 65535));
    } else {
      wanted.fd = static_cast<int>(integer(entry, "fd", kInheritedFdMin, INT32_MAX));
      for (const os::ListenAddress& other : listeners)
        if (other.fd == wanted.fd) invalid(env, "fd", "given once");
    }
    listeners.push_back(std::move(wanted));
  }
  return listeners;
}

uint32_t timeout(const Napi::Object& object, const char* field) {
  return static_cast<uint32_t>(integer(object, field, 1, kTimeoutMsMax));
}

}  // namespace

void throw_with_code(Napi::Env env, const char* code, const std::string& message,
                     int system_error) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  if (system_error != 0) error.Set("errno", Napi::Number::New(env, -system_error));
  throw error;
}

std::vector<tls::CertificatePem> read_certificates(Napi::Env env, const Napi::Value& value) {
  const Napi::Array list = array(env, value, "certificates", kCertificatesMax);
  std::vector<tls::CertificatePem> pems;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object entry = object_at(list, i, "certificates");
    const Napi::Value alone = entry.Get("standsAlone");
    pems.push_back({text(entry, "chain"), text(entry, "privateKey"), alone.ToBoolean().Value()});
  }
  return pems;
}

engine::ClientCertificates read_client_certificates(Napi::Env env, const Napi::Value& value) {
  engine::ClientCertificates clients;
  if (value.IsUndefined() || value.IsNull()) return clients;
  if (!value.IsObject()) invalid(env, "clientCertificates", "an object");
  const Napi::Object from = value.As<Napi::Object>();
  clients.trust.ca = text(from, "ca");
  if (clients.trust.ca.empty()) invalid(env, "ca", "one or more certificates in PEM form");
  clients.trust.crl = text(from, "crl");
  const Napi::Value check_times = from.Get("checkTimes");
  if (!check_times.IsBoolean()) invalid(env, "checkTimes", "true or false");
  clients.trust.check_times = check_times.As<Napi::Boolean>().Value();
  const Napi::Value require = from.Get("require");
  const uint32_t count = require.IsArray() ? require.As<Napi::Array>().Length() : UINT32_MAX;
  if (count > limits::kRequiredPrefixesMax)
    invalid(env, "require",
            "an array of at most " + std::to_string(limits::kRequiredPrefixesMax) + " paths");
  auto prefixes = std::make_shared<http::PathPrefixes>();
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value entry = require.As<Napi::Array>().Get(i);
    if (!entry.IsString() || !prefixes->add(entry.As<Napi::String>().Utf8Value()))
      invalid(env, "require", "an array of paths, such as \"/private\"");
  }
  if (!prefixes->empty()) clients.required = std::move(prefixes);
  return clients;
}

engine::Options read_options(const Napi::Value& value) {
  if (!value.IsObject())
    throw_with_code(value.Env(), "EINVAL_OPTION", "the engine needs an options object");
  const Napi::Object from = value.As<Napi::Object>();
  engine::Options options;
  options.site = read_site(value.Env(), from.Get("site"), text(from, "root"));
  options.listeners = read_listeners(value.Env(), from.Get("listeners"));
  options.certificates = read_certificates(value.Env(), from.Get("certificates"));
  if (!from.Get("tlsGroups").IsUndefined())
    options.tls_groups = texts(from, "tlsGroups", limits::kTlsGroupsMax);
  if (!from.Get("protocols").IsUndefined())
    for (const std::string& protocol : texts(from, "protocols", kProtocolsMax))
      options.http2 = options.http2 || protocol == "h2";
  options.client_certificates =
      read_client_certificates(value.Env(), from.Get("clientCertificates"));
  options.ring = either(from, "ring", "auto", "epoll") ? ring::Backend::Auto : ring::Backend::Epoll;
  options.engines = static_cast<size_t>(integer(from, "engines", 1, limits::kEnginesMax));
  conn::Options& c = options.connections;
  c.offload_wanted = either(from, "tlsOffload", "auto", "off");
  c.connections_max =
      static_cast<uint32_t>(integer(from, "connectionsMax", 1, limits::kConnectionsMaxCeiling));
  c.pending_window_bytes =
      integer(from, "pendingWindowBytes", limits::kPendingWindowBytesMin, kWindowBytesMax);
  if (!from.Get("recordsPerKeyMax").IsUndefined())
    c.records_per_key_max = integer(from, "recordsPerKeyMax", 1, limits::kRecordsPerKeyMax);
  const auto bounded = [&](const char* field, uint64_t least, uint64_t most) {
    return static_cast<uint32_t>(integer(from, field, least, most));
  };
  c.connections_per_address_max =
      bounded("connectionsPerAddressMax", 1, limits::kConnectionsMaxCeiling);
  c.handshakes_max = bounded("handshakesMax", 1, limits::kConnectionsMaxCeiling);
  c.requests_per_connection_max =
      bounded("requestsPerConnectionMax", 1, limits::kRequestsPerConnectionMaxCeiling);
  if (!from.Get("streamsMax").IsUndefined())
    c.streams_max = bounded("streamsMax", 1, limits::kStreamsMaxCeiling);
  c.discarded_body_bytes_max =
      bounded("discardedBodyBytesMax", 0, limits::kDiscardedBodyBytesMaxCeiling);
  c.send_rate_min_bytes_per_s = bounded("sendRateMinBytesPerS", 0, limits::kSendRateMinCeiling);
  c.head.head_bytes_max =
      bounded("headBytesMax", limits::kHeadBytesMin, limits::kHeadBytesMaxCeiling);
  c.head.target_bytes_max =
      bounded("targetBytesMax", limits::kTargetBytesMin, limits::kTargetBytesMax);
  c.head.fields_max =
      bounded("headerFieldsMax", limits::kHeaderFieldsMin, limits::kHeaderFieldsMaxCeiling);
  c.upstream_head_bytes_max = bounded("upstreamHeadBytesMax", limits::kUpstreamHeadBytesMin,
                                      limits::kUpstreamHeadBytesMaxCeiling);
  c.request_timeout_ms = timeout(from, "requestTimeoutMs");
  c.handshake_timeout_ms = timeout(from, "handshakeTimeoutMs");
  c.head_timeout_ms = timeout(from, "headTimeoutMs");
  c.idle_timeout_ms = timeout(from, "idleTimeoutMs");
  c.stall_timeout_ms = timeout(from, "stallTimeoutMs");
  c.drain_timeout_ms = timeout(from, "drainTimeoutMs");
  c.linger_timeout_ms = timeout(from, "lingerTimeoutMs");
  return options;
}

}  // namespace spliced::seam
