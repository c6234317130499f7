// SPDX-License-Identifier: Apache-2.0
// See site_options.hpp.
#include "seam/site_options.hpp"

#include "seam/options.hpp"
#include "seam/values.hpp"

namespace spliced::seam {
namespace {

constexpr struct {
  const char* name;
  http::Method method;
} kMethods[] = {
    {"GET", http::Method::Get},         {"HEAD", http::Method::Head},
    {"POST", http::Method::Post},       {"PUT", http::Method::Put},
    {"PATCH", http::Method::Patch},     {"DELETE", http::Method::Delete},
    {"OPTIONS", http::Method::Options},
};

bool flag(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsBoolean()) invalid(object.Env(), field, "true or false");
  return value.As<Napi::Boolean>().Value();
}

http::Methods methods(const Napi::Object& object, http::Methods otherwise) {
  http::Methods bits = 0;
  for (const std::string& name : texts(object, "methods", 16)) {
    const http::Methods before = bits;
    for (const auto& known : kMethods)
      if (name == known.name) bits |= http::bit_of(known.method);
    if (bits == before) invalid(object.Env(), "methods", "names of methods, each once");
  }
  return bits == 0 ? otherwise : bits;
}

std::string fields(const Napi::Object& object) {
  std::string lines;
  for (const std::string& line : texts(object, "fields", 64)) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos ||
        !http::is_settable_field(line.substr(0, colon), line.substr(colon + 2)))
      invalid(object.Env(), "fields", "lines \"Name: value\" of fields that a route may set");
    lines += line + "\r\n";
  }
  return lines;
}

http::Action action_of(Napi::Env env, const std::string& name) {
  if (name == "static") return http::Action::Static;
  if (name == "redirect") return http::Action::Redirect;
  if (name == "respond") return http::Action::Respond;
  if (name != "proxy") invalid(env, "action", "static, redirect, respond or proxy");
  return http::Action::Proxy;
}

uint32_t timeout(const Napi::Object& from, const char* field) {
  return static_cast<uint32_t>(integer(from, field, 1, limits::kStreamTimeoutMsCeiling));
}

http::Route read_route(const Napi::Object& from) {
  const Napi::Env env = from.Env();
  http::Route route;
  const std::string action = text(from, "action");
  route.action = action_of(env, action);
  const bool retrieval = route.action == http::Action::Static;
  route.host = text(from, "host");
  http::PathPrefixes checked;
  const std::string path = text(from, "path");
  if (!checked.add(path)) invalid(env, "path", "a path, such as \"/docs\"");
  route.prefix =
      path.substr(1, path.size() > 1 && path.back() == '/' ? path.size() - 2 : path.npos);
  // A redirect answers every method.
  const auto any = static_cast<http::Methods>(
      action == "redirect" ? ~http::bit_of(http::Method::Options) : http::kRetrieval);
  route.methods = methods(from, action == "proxy" ? http::kProxied : any);
  if (retrieval && (route.methods & ~http::kRetrieval) != 0)
    invalid(env, "methods", "GET or HEAD where files are served");
  route.needs_certificate = flag(from, "clientCertificate");
  route.fields = fields(from);
  route.directory = static_cast<size_t>(integer(from, "directory", 0, limits::kDirectoriesMax));
  route.mounted = flag(from, "mounted");
  route.index = text(from, "index");
  route.fallback = text(from, "fallback");
  route.not_found = text(from, "notFound");
  route.cache_control = text(from, "cacheControl");
  route.variants = flag(from, "variants");
  route.internal = flag(from, "internal");
  for (const std::string& prefix : texts(from, "accelerate", limits::kRoutesMax))
    if (!route.accelerate.add(prefix)) invalid(env, "accelerate", "paths, such as \"/recordings\"");
  for (const std::string& prefix : texts(from, "immutable", 16))
    if (!route.immutable.add(prefix)) invalid(env, "immutable", "paths, such as \"/assets\"");
  route.status = static_cast<uint16_t>(integer(from, "status", 0, 599));
  route.location = text(from, "location");
  route.keep_path = flag(from, "keepPath");
  route.content_type = text(from, "contentType");
  route.body = text(from, "body");
  route.upstream = text(from, "upstream");
  route.connect_timeout_ms = timeout(from, "connectTimeoutMs");
  route.response_timeout_ms = timeout(from, "responseTimeoutMs");
  route.stream_timeout_ms = timeout(from, "streamTimeoutMs");
  route.rate_max_bytes_per_s = integer(from, "rateMaxBytesPerS", 0, limits::kRateCeiling);
  route.check = text(from, "authorize");
  route.check_path = text(from, "authorizePath");
  route.check_fields = texts(from, "authorizeFields", limits::kCheckFieldsMax);
  route.check_timeout_ms = timeout(from, "authorizeTimeoutMs");
  route.check_remember_ms = static_cast<uint32_t>(
      integer(from, "authorizeRememberMs", 0, limits::kCheckRememberMsMax));
  route.check_spares_tokens = flag(from, "authorizeSparesTokens");
  route.check_falls_back = flag(from, "authorizeFallsBack");
  return route;
}

std::vector<http::Route> read_routes(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  if (!value.IsArray() || value.As<Napi::Array>().Length() > limits::kRoutesMax)
    invalid(from.Env(), field, "an array of at most " + std::to_string(limits::kRoutesMax));
  std::vector<http::Route> routes;
  const Napi::Array list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++)
    routes.push_back(read_route(object_at(list, i, field)));
  return routes;
}

}  // namespace

engine::SiteOptions read_site(Napi::Env env, const Napi::Value& value, std::string root) {
  engine::SiteOptions site;
  site.root = std::move(root);
  if (value.IsUndefined()) return site;
  if (!value.IsObject()) invalid(env, "site", "an object");
  const Napi::Object from = value.As<Napi::Object>();
  site.build = text(from, "build");
  for (const char c : site.build)
    if (!isalnum(static_cast<unsigned char>(c)) || site.build.size() > 32)
      invalid(env, "build", "at most 32 letters and digits");
  site.directories = texts(from, "directories", limits::kDirectoriesMax - 1);
  site.routes = read_routes(from, "routes");
  for (http::Route& route : site.routes)
    if (route.directory > 0 && route.directory <= site.directories.size())
      route.root = site.directories[route.directory - 1];
  site.own = read_routes(from, "own");
  return site;
}

}  // namespace spliced::seam
