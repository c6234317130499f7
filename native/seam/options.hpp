// SPDX-License-Identifier: Apache-2.0
// Converts JavaScript's options object to engine::Options. Every field is checked before anything
// is made. Throws a JavaScript error with code EINVAL_OPTION that names the field.
#pragma once
#include <napi.h>

#include "engine/options.hpp"

namespace spliced::seam {

engine::Options read_options(const Napi::Value& value);
std::vector<tls::CertificatePem> read_certificates(Napi::Env env, const Napi::Value& value);
// Null or undefined: no client certificate is requested.
engine::ClientCertificates read_client_certificates(Napi::Env env, const Napi::Value& value);
// `system_error`, unless it is 0, becomes the property errno: negative, as in Node's errors.
[[noreturn]] void throw_with_code(Napi::Env env, const char* code, const std::string& message,
                                  int system_error = 0);

}  // namespace spliced::seam
