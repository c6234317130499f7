// SPDX-License-Identifier: Apache-2.0
// See notify.hpp.
#include "seam/notify.hpp"

#include <string.h>

#include "os/listener.hpp"
#include "os/notify.hpp"
#include "seam/options.hpp"

namespace spliced::seam {
namespace {

std::string text(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString())
    throw_with_code(info.Env(), "EINVAL_OPTION",
                    std::string("notifySystemd() needs ") + name + " as a string");
  return info[index].As<Napi::String>().Utf8Value();
}

std::vector<int> descriptors(const Napi::CallbackInfo& info, size_t index) {
  std::vector<int> found;
  if (info[index].IsUndefined()) return found;
  const bool is_list =
      info[index].IsArray() && info[index].As<Napi::Array>().Length() <= os::kNotifyDescriptorsMax;
  if (!is_list)
    throw_with_code(info.Env(), "EINVAL_OPTION", "notifySystemd() takes at most 64 descriptors");
  const Napi::Array list = info[index].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value entry = list.Get(i);
    found.push_back(entry.IsNumber() ? entry.As<Napi::Number>().Int32Value() : -1);
  }
  return found;
}

void notify_systemd(const Napi::CallbackInfo& info) {
  const std::string address = text(info, 0, "the socket's address");
  const int error = os::notify(address, text(info, 1, "the message"), descriptors(info, 2));
  if (error == 0) return;
  Napi::Error thrown = Napi::Error::New(
      info.Env(), "cannot notify the service manager at " + address + ": " + ::strerror(error));
  thrown.Set("code", Napi::String::New(info.Env(), "ENOTIFY"));
  thrown.Set("errno", Napi::Number::New(info.Env(), -error));  // negative, as in Node's errors
  throw thrown;
}

Napi::Value retire_listener(const Napi::CallbackInfo& info) {
  const int fd = info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  return Napi::Boolean::New(info.Env(), os::retire_listener(fd));
}

}  // namespace

void define_notify(Napi::Env env, Napi::Object exports) {
  exports.Set("notifySystemd", Napi::Function::New(env, notify_systemd, "notifySystemd"));
  exports.Set("retireListener", Napi::Function::New(env, retire_listener, "retireListener"));
}

}  // namespace spliced::seam
