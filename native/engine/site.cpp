// SPDX-License-Identifier: Apache-2.0
// See site.hpp.
#include "engine/site.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "os/upstream_socket.hpp"

namespace spliced::engine {
namespace {

bool open_directory(const std::string& path, conn::Site& site, Failure& failure) {
  os::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    const bool is_root = site.directories.empty();
    failure = {is_root ? "EROOT" : "EROUTE",
               "cannot serve \"" + path + "\": " + ::strerror(errno) +
                   (is_root ? "; the root must be a readable directory" : "")};
    return false;
  }
  site.directories.push_back(std::move(fd));
  return true;
}

const char* add_route(const conn::Site& site, http::Routes& routes, const http::Route& route) {
  if (route.directory >= site.directories.size()) return "it has a directory that is not there";
  if (route.action == http::Action::Proxy)
    if (const char* fault = os::upstream_address_fault(route.upstream)) return fault;
  if (!route.check.empty())
    if (const char* fault = os::upstream_address_fault(route.check)) return fault;
  return routes.add(route);
}

bool add_routes(const conn::Site& site, http::Routes& routes, const std::vector<http::Route>& from,
                Failure& failure) {
  for (const http::Route& route : from) {
    const char* fault = add_route(site, routes, route);
    if (fault == nullptr) continue;
    failure = {"EROUTE", "the route for \"/" + route.prefix + "\" cannot be: " + fault};
    return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<const conn::Site> build_site(const SiteOptions& options, Failure& failure) {
  auto site = std::make_shared<conn::Site>();
  site->build = options.build;
  if (!open_directory(options.root, *site, failure)) return nullptr;
  for (const std::string& path : options.directories)
    if (!open_directory(path, *site, failure)) return nullptr;
  if (!add_routes(*site, site->routes, options.routes, failure) ||
      !add_routes(*site, site->own, options.own, failure))
    return nullptr;
  if (options.routes.empty()) {
    http::Route everything;
    everything.index = "index.html";
    if (const char* fault = site->routes.add(everything)) {
      failure = {"EROUTE", fault};
      return nullptr;
    }
  }
  return site;
}

}  // namespace spliced::engine
