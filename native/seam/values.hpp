// SPDX-License-Identifier: Apache-2.0
// Reads the fields of an options object; each throws EINVAL_OPTION that names the field.
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace spliced::seam {

[[noreturn]] void invalid(Napi::Env env, const std::string& field, const std::string& needed);
std::string text(const Napi::Object& object, const char* field);  // without NUL characters
std::vector<std::string> texts(const Napi::Object& object, const char* field, uint32_t most);
uint64_t integer(const Napi::Object& object, const char* field, uint64_t least, uint64_t most);
Napi::Object object_at(const Napi::Array& from, uint32_t index, const char* field);

}  // namespace spliced::seam
