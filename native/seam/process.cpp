// SPDX-License-Identifier: Apache-2.0
// See process.hpp.
#include "seam/process.hpp"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <limits>

#include "os/process.hpp"
#include "seam/options.hpp"

namespace spliced::seam {
namespace {

const char* name_of(int error) {
  switch (error) {
    case EACCES:
      return "EACCES";
    case EAGAIN:
      return "EAGAIN";
    case ECONNREFUSED:
      return "ECONNREFUSED";
    case ENOENT:
      return "ENOENT";
    case EPERM:
      return "EPERM";
    case ESRCH:
      return "ESRCH";
    default:
      return "EPROCESS";
  }
}

[[noreturn]] void refuse(Napi::Env env, const std::string& what, int error) {
  throw_with_code(env, name_of(error), what + ": " + ::strerror(error));
}

Napi::Value listener_of(const Napi::CallbackInfo& info) {
  if (!info[0].IsString())
    throw_with_code(info.Env(), "EINVAL_OPTION", "listenerOf() needs the path of a socket");
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  os::Peer peer;
  const int error = os::listener_of(path, peer);
  if (error != 0) refuse(info.Env(), "cannot ask who listens on " + path, error);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("pid", static_cast<double>(peer.pid));
  out.Set("uid", static_cast<double>(peer.uid));
  out.Set("gid", static_cast<double>(peer.gid));
  return out;
}

// -1: not a number from 0 to `max`.
double whole(const Napi::Object& from, const char* name, double max) {
  const Napi::Value value = from.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  return number >= 0 && number <= max ? number : -1;
}

void terminate_process(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object given =
      info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(env);
  const double pid = whole(given, "pid", std::numeric_limits<pid_t>::max());
  const double ticks = whole(given, "startTicks", 9007199254740991.0);  // Number.MAX_SAFE_INTEGER
  const double uid = whole(given, "uid", std::numeric_limits<uid_t>::max());
  if (pid <= 1 || ticks < 1 || uid < 0)
    throw_with_code(env, "EINVAL_OPTION", "terminateProcess() needs pid, startTicks and uid");
  const os::ProcessName process{static_cast<pid_t>(pid), static_cast<uint64_t>(ticks),
                                static_cast<uid_t>(uid)};
  const int error = os::signal_process(process, SIGTERM);
  if (error != 0) refuse(env, "cannot signal process " + std::to_string(process.pid), error);
}

}  // namespace

void define_process(Napi::Env env, Napi::Object exports) {
  exports.Set("listenerOf", Napi::Function::New(env, listener_of, "listenerOf"));
  exports.Set("terminateProcess", Napi::Function::New(env, terminate_process, "terminateProcess"));
}

}  // namespace spliced::seam
