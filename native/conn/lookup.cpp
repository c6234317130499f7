// SPDX-License-Identifier: Apache-2.0
// See lookup.hpp. A step that had to wait for the disk begins again at its own place: Lookup says
// where, and the head is read again, since its bytes are still there.
#include "conn/lookup.hpp"

#include "base/assert.hpp"
#include "conn/answer.hpp"
#include "conn/file_response.hpp"
#include "conn/open_file.hpp"
#include "conn/routing.hpp"
#include "http/asset_name.hpp"
#include "http/media_type.hpp"
#include "http/negotiation.hpp"
#include "http/target.hpp"

namespace spliced::conn {
namespace {

files::FileCache& files_of(Connection& c) {
  return *c.request.site->files[c.request.route->directory];
}

void refuse(Services& s, Connection& c, const http::RequestHead& request, uint16_t status) {
  respond_error(s, c, status, c.request.keep_alive, request.method == http::Method::Get);
  end_request(c);
}

void send_file(Services& s, Connection& c, const http::RequestHead& request, files::FilePtr file) {
  if (!ensure_small_body(s, c, file)) return;
  respond_file(s, c, request, std::move(file));
  end_request(c);
}

// The best variant that there is and that the client takes (RFC 9110 12.1), else the file itself.
void send_variant(Services& s, Connection& c, const http::RequestHead& request) {
  files::File& original = *c.request.lookup.original;
  files::FileCache& files = files_of(c);
  const http::Preference wanted =
      c.request.route->variants ? http::negotiate(request.accept_encoding) : http::Preference{};
  for (size_t i = 0; i < wanted.count; i++) {
    const http::Coding coding = wanted.order[i];
    if (!files.knows_variant(original, coding, s.now_ms)) {
      c.request.lookup.coding = coding;
      c.request.path.append(http::name_of(coding).suffix);
      if (!files.find_variant(original, coding, c.request.path, s.now_ms)) return begin_open(s, c);
      c.request.path.resize(c.request.lookup.path_bytes);
    }
    // A copy: the cache may have let go of the original meanwhile, and its variants go with it.
    if (files::FilePtr variant = original.variants[static_cast<size_t>(coding)].file) {
      c.request.lookup.original.reset();
      return send_file(s, c, request, std::move(variant));
    }
  }
  files::FilePtr file = std::move(c.request.lookup.original);
  if (!wanted.identity) return refuse(s, c, request, 406);
  send_file(s, c, request, std::move(file));
}

// A directory without its slash: relative references in its index would lead astray.
void redirect_to_directory(Services& s, Connection& c, const http::RequestHead& request) {
  http::PathBuffer path;
  const bool fits = http::resolve_target(request.target, path).status == 0 && path.append('/');
  respond_redirect(s, c, 308, "/", fits ? path.view() : std::string_view(), request);
  end_request(c);
}

// For what is there as a page, not as a file: "page/17", never "assets/app.3f9a1c2b.js". An old
// page that asks for a script of its own time must see that it is gone.
bool may_fall_back(const Connection& c) {
  const http::Route& route = *c.request.route;
  if (route.fallback.empty() || route.immutable.cover(c.request.path)) return false;
  // A directory's path is that of its index, which says nothing.
  return c.request.lookup.directory ||
         (!http::has_known_extension(c.request.path) && !http::has_content_hash(c.request.path));
}

// What is sent in the place of a file that is not there.
void find_substitute(Services& s, Connection& c, const http::RequestHead& request) {
  const http::Route& route = *c.request.route;
  const auto go_on_with = [&](LookupStep step, const std::string& name) {
    c.request.lookup.step = step;
    c.request.path.assign(route.mounted || route.prefix.empty() ? "" : route.prefix + "/")
        .append(name);
    look_up(s, c, request);
  };
  if (c.request.lookup.step == LookupStep::Target && may_fall_back(c))
    return go_on_with(LookupStep::Fallback, route.fallback);
  if (c.request.lookup.step != LookupStep::NotFoundPage && !route.not_found.empty())
    return go_on_with(LookupStep::NotFoundPage, route.not_found);
  refuse(s, c, request, 404);
}

void take(Services& s, Connection& c, const http::RequestHead& request, files::Found found) {
  switch (found.verdict) {
    case files::Found::Verdict::File:
      c.request.lookup.original = std::move(found.file);
      c.request.lookup.path_bytes = c.request.path.size();
      return send_variant(s, c, request);
    case files::Found::Verdict::Unavailable:
      return refuse(s, c, request, 503);
    case files::Found::Verdict::Directory:
      if (c.request.lookup.step == LookupStep::Target && !c.request.lookup.directory &&
          !c.request.route->index.empty())
        return redirect_to_directory(s, c, request);
      return find_substitute(s, c, request);
    default:
      return find_substitute(s, c, request);
  }
}

}  // namespace

void look_up(Services& s, Connection& c, const http::RequestHead& request) {
  // The file that is sent counts too: an index, a fall-back or the page of a 404.
  const bool protects = s.certificate_required && !c.client;
  const std::string file = !protects ? ""
                           : c.request.route->mounted
                               ? c.request.route->prefix + "/" + c.request.path
                               : c.request.path;
  if (protects && lacks_certificate(s, c, file)) {
    respond_forbidden(s, c, request.method == http::Method::Get);
    return end_request(c);
  }
  files::Found found = files_of(c).find(c.request.path, s.now_ms);
  if (found.verdict == files::Found::Verdict::NeedOpen) return begin_open(s, c);
  take(s, c, request, std::move(found));
}

void resume_opened(Services& s, Connection& c, int opened) {
  const http::RequestHead request = head_again(s, c);
  if (s.stopping) c.request.keep_alive = false;
  if (!c.request.lookup.original)
    return take(s, c, request, files_of(c).adopt(c.request.path, opened, s.now_ms));
  files_of(c).adopt_variant(*c.request.lookup.original, c.request.lookup.coding, opened, s.now_ms);
  c.request.path.resize(c.request.lookup.path_bytes);
  send_variant(s, c, request);
}

void resume_body(Services& s, Connection& c, files::FilePtr file) {
  const http::RequestHead request = head_again(s, c);
  if (s.stopping) c.request.keep_alive = false;
  respond_file(s, c, request, std::move(file));
  end_request(c);
}

}  // namespace spliced::conn
