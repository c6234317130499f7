// SPDX-License-Identifier: Apache-2.0
// See values.hpp.
#include "seam/values.hpp"

#include <cmath>

#include "seam/options.hpp"

namespace spliced::seam {

void invalid(Napi::Env env, const std::string& field, const std::string& needed) {
  throw_with_code(env, "EINVAL_OPTION", "option \"" + field + "\" must be " + needed);
}

std::string text(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsString()) invalid(object.Env(), field, "a string");
  std::string found = value.As<Napi::String>().Utf8Value();
  if (found.find('\0') != std::string::npos) invalid(object.Env(), field, "free of NUL characters");
  return found;
}

uint64_t integer(const Napi::Object& object, const char* field, uint64_t least, uint64_t most) {
  const Napi::Value value = object.Get(field);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)) ||
      number != std::floor(number)) {
    invalid(object.Env(), field,
            "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return static_cast<uint64_t>(number);
}

Napi::Object object_at(const Napi::Array& from, uint32_t index, const char* field) {
  const Napi::Value value = from.Get(index);
  if (!value.IsObject()) invalid(from.Env(), field, "an array of objects");
  return value.As<Napi::Object>();
}

std::vector<std::string> texts(const Napi::Object& object, const char* field, uint32_t most) {
  const Napi::Value value = object.Get(field);
  if (!value.IsArray() || value.As<Napi::Array>().Length() > most)
    invalid(object.Env(), field, "an array of at most " + std::to_string(most) + " strings");
  std::vector<std::string> found;
  const Napi::Array list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value entry = list.Get(i);
    if (!entry.IsString()) invalid(object.Env(), field, "an array of strings");
    found.push_back(entry.As<Napi::String>().Utf8Value());
    if (found.back().find('\0') != std::string::npos)
      invalid(object.Env(), field, "free of NUL characters");
  }
  return found;
}

}  // namespace spliced::seam
