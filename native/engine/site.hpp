// SPDX-License-Identifier: Apache-2.0
// From the configuration's routes, as seam/ gives them, to what conn/ serves.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "conn/request/site.hpp"
#include "engine/client_certificates.hpp"

namespace spliced::engine {

struct SiteOptions {
  std::string root;                      // directory 0
  std::vector<std::string> directories;  // 1 and following, for Route::directory
  std::string build;                     // of the files' validators; empty: none
  std::vector<http::Route> routes;       // none: one, the root's files
  std::vector<http::Route> own;          // of the service, below "/.spliced/"
};

// Opens every directory. Null, with `failure` (EROOT, EROUTE), when one cannot be had.
std::shared_ptr<const conn::Site> build_site(const SiteOptions& options, Failure& failure);

}  // namespace spliced::engine
