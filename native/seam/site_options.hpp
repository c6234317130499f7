// SPDX-License-Identifier: Apache-2.0
// The routes as src/engine/native.ts types them (SiteOptions), validated.
#pragma once
#include <napi.h>

#include "engine/site.hpp"

namespace spliced::seam {

// `value` may be undefined: one route, the files of `root`. Throws EINVAL_OPTION.
engine::SiteOptions read_site(Napi::Env env, const Napi::Value& value, std::string root);

}  // namespace spliced::seam
