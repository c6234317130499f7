// SPDX-License-Identifier: Apache-2.0
// See lookup.hpp. A step that had to wait for the disk is repeated: Lookup says which one. The head
// is parsed again, because its bytes are still there.
#include "conn/file/lookup.hpp"

#include "base/assert.hpp"
#include "conn/file/file_response.hpp"
#include "conn/file/open_file.hpp"
#include "conn/proxy/hand_over.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/asset_name.hpp"
#include "http/media_type.hpp"
#include "http/negotiation.hpp"
#include "http/target.hpp"

namespace spliced::conn {
namespace {

files::FileCache& files_of(Request& r) {
  return *r.site->files[r.route->directory];
}

void refuse(Services& s, Request& r, const http::RequestHead& request, uint16_t status) {
  if (r.handed) {
    fail_hand_over(s, r, request, status);
    return end_request(r);
  }
  respond_error(s, r, status, r.keep_alive, request.method == http::Method::Get);
  end_request(r);
}

void send_file(Services& s, Request& r, const http::RequestHead& request, files::FilePtr file) {
  if (!ensure_small_body(s, r, file)) return;
  respond_file(s, r, request, std::move(file));
  end_request(r);
}

// Sends the best existing variant that the client accepts (RFC 9110 12.1), else the file itself.
void send_variant(Services& s, Request& r, const http::RequestHead& request) {
  files::File& original = *r.lookup.original;
  files::FileCache& files = files_of(r);
  const http::Preference wanted =
      r.route->variants ? http::negotiate(request.accept_encoding) : http::Preference{};
  for (size_t i = 0; i < wanted.count; i++) {
    const http::Coding coding = wanted.order[i];
    if (!files.knows_variant(original, coding, s.now_ms)) {
      r.lookup.coding = coding;
      r.path.append(http::name_of(coding).suffix);
      if (!files.find_variant(original, coding, r.path, s.now_ms)) return begin_open(s, r);
      r.path.resize(r.lookup.path_bytes);
    }
    // A copy of the pointer: the cache may have dropped the original meanwhile, and its variants
    // with it.
    if (files::FilePtr variant = original.variants[static_cast<size_t>(coding)].file) {
      r.lookup.original.reset();
      return send_file(s, r, request, std::move(variant));
    }
  }
  files::FilePtr file = std::move(r.lookup.original);
  if (!wanted.identity) return refuse(s, r, request, 406);
  send_file(s, r, request, std::move(file));
}

// A directory without its slash is redirected, because relative references in its index would be
// wrong.
void redirect_to_directory(Services& s, Request& r, const http::RequestHead& request) {
  if (r.handed) return refuse(s, r, request, 404);  // the redirect would lead the client nowhere
  http::PathBuffer path;
  const bool fits = http::resolve_target(request.target, path).status == 0 && path.append('/');
  respond_redirect(s, r, 308, "/", fits ? path.view() : std::string_view(), request);
  end_request(r);
}

// For paths that are pages of an application, not files: "page/17", never "assets/app.3f9a1c2b.js".
// An old page that asks for a script of its own version must get a 404.
bool may_fall_back(const Request& r) {
  const http::Route& route = *r.route;
  if (route.fallback.empty() || route.immutable.cover(r.path)) return false;
  // The path of a directory is that of its index, whose extension does not count.
  return r.lookup.directory ||
         (!http::has_known_extension(r.path) && !http::has_content_hash(r.path));
}

// Finds what is sent in place of a missing file.
void find_substitute(Services& s, Request& r, const http::RequestHead& request) {
  if (r.handed) return refuse(s, r, request, 404);
  const http::Route& route = *r.route;
  const auto go_on_with = [&](LookupStep step, const std::string& name) {
    r.lookup.step = step;
    r.path.assign(route.mounted || route.prefix.empty() ? "" : route.prefix + "/").append(name);
    look_up(s, r, request);
  };
  if (r.lookup.step == LookupStep::Target && may_fall_back(r))
    return go_on_with(LookupStep::Fallback, route.fallback);
  if (r.lookup.step != LookupStep::NotFoundPage && !route.not_found.empty())
    return go_on_with(LookupStep::NotFoundPage, route.not_found);
  refuse(s, r, request, 404);
}

void take(Services& s, Request& r, const http::RequestHead& request, files::Found found) {
  switch (found.verdict) {
    case files::Found::Verdict::File:
      r.lookup.original = std::move(found.file);
      r.lookup.path_bytes = r.path.size();
      return send_variant(s, r, request);
    case files::Found::Verdict::Unavailable:
      return refuse(s, r, request, 503);
    case files::Found::Verdict::Directory:
      if (r.lookup.step == LookupStep::Target && !r.lookup.directory && !r.route->index.empty())
        return redirect_to_directory(s, r, request);
      return find_substitute(s, r, request);
    default:
      return find_substitute(s, r, request);
  }
}

}  // namespace

void look_up(Services& s, Request& r, const http::RequestHead& request) {
  // The rule also applies to the file that is sent: an index, a fallback or the page of a 404.
  const bool protects = s.certificate_required && !client_of(r);
  const std::string file = !protects          ? ""
                           : r.route->mounted ? r.route->prefix + "/" + r.path
                                              : r.path;
  if (protects && lacks_certificate(s, r, file)) {
    respond_forbidden(s, r, request.host, request.method == http::Method::Get);
    return end_request(r);
  }
  files::Found found = files_of(r).find(r.path, s.now_ms);
  if (found.verdict == files::Found::Verdict::NeedOpen) return begin_open(s, r);
  take(s, r, request, std::move(found));
}

void resume_opened(Services& s, Request& r, int opened) {
  const http::RequestHead request = head_again(s, r);
  if (s.stopping) r.keep_alive = false;
  if (!r.lookup.original) return take(s, r, request, files_of(r).adopt(r.path, opened, s.now_ms));
  files_of(r).adopt_variant(*r.lookup.original, r.lookup.coding, opened, s.now_ms);
  r.path.resize(r.lookup.path_bytes);
  send_variant(s, r, request);
}

void resume_body(Services& s, Request& r, files::FilePtr file) {
  const http::RequestHead request = head_again(s, r);
  if (s.stopping) r.keep_alive = false;
  respond_file(s, r, request, std::move(file));
  end_request(r);
}

}  // namespace spliced::conn
