// SPDX-License-Identifier: Apache-2.0
// See self_request.hpp.
#include "seam/self_request.hpp"

#include "seam/options.hpp"
#include "selfcheck/self_request.hpp"

namespace spliced::seam {
namespace {

constexpr double kTimeoutMsMax = 60'000;
constexpr uint32_t kFingerprintsMax = 64;  // the bound on certificates (options.cpp)

class Worker : public Napi::AsyncWorker {
 public:
  Worker(Napi::Env env, selfcheck::SelfRequest request)
      : Napi::AsyncWorker(env, "spliced self request"),
        promise_(Napi::Promise::Deferred::New(env)),
        request_(std::move(request)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    const selfcheck::SelfAnswer answer = selfcheck::ask_ourselves(request_);
    unreached_ = answer.unreached;
    if (!answer.trouble.empty()) SetError(answer.trouble);
  }
  void OnOK() override { promise_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override {
    if (unreached_) error.Value().Set("code", "EUNREACHED");
    promise_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred promise_;
  selfcheck::SelfRequest request_;
  bool unreached_ = false;
};

Napi::Value ask_ourselves(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object();
  const auto number = [&](const char* field, double most) {
    const Napi::Value value = options.IsEmpty() ? info.Env().Undefined() : options.Get(field);
    const double found = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
    if (found >= 1 && found <= most) return found;
    throw_with_code(info.Env(), "EINVAL_OPTION",
                    std::string("askOurselves() needs ") + field + " as a number from 1");
  };
  selfcheck::SelfRequest request;
  request.port = static_cast<uint16_t>(number("port", UINT16_MAX));
  request.timeout_ms = static_cast<uint32_t>(number("timeoutMs", kTimeoutMsMax));
  request.address = options.Get("address").ToString().Utf8Value();
  const Napi::Value ours = options.Get("fingerprints");
  const uint32_t count = ours.IsArray() ? ours.As<Napi::Array>().Length() : 0;
  if (count == 0 || count > kFingerprintsMax)
    throw_with_code(info.Env(), "EINVAL_OPTION", "askOurselves() needs fingerprints as an array");
  for (uint32_t i = 0; i < count; i++)
    request.fingerprints.push_back(ours.As<Napi::Array>().Get(i).ToString().Utf8Value());
  auto* worker = new Worker(info.Env(), std::move(request));
  const Napi::Promise promise = worker->promise();
  worker->Queue();  // frees itself at its end
  return promise;
}

}  // namespace

void define_self_request(Napi::Env env, Napi::Object exports) {
  exports.Set("askOurselves", Napi::Function::New(env, ask_ourselves, "askOurselves"));
}

}  // namespace spliced::seam
