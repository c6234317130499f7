// SPDX-License-Identifier: Apache-2.0
// See inspection.hpp.
#include "seam/inspection.hpp"

#include <functional>
#include <utility>

#include "base/limits.hpp"
#include "engine/inspection.hpp"
#include "seam/options.hpp"
#include "seam/values.hpp"

namespace spliced::seam {
namespace {

constexpr uint32_t kChainMax = 16;

Napi::Array to_array(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array list = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); i++) list.Set(i, texts[i]);
  return list;
}

Napi::Value inspect_tls_groups(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object from = Napi::Object::New(env);
  from.Set("groups", info[0]);
  const engine::GroupReport report =
      engine::inspect_groups(texts(from, "groups", limits::kTlsGroupsMax));
  Napi::Object out = Napi::Object::New(env);
  out.Set("used", to_array(env, report.used));
  out.Set("unknown", to_array(env, report.unknown));
  out.Set("available", to_array(env, report.available));
  return out;
}

Napi::Value to_javascript(Napi::Env env, int number) {
  return Napi::Number::New(env, number);
}
Napi::Value to_javascript(Napi::Env env, const std::string& bytes) {
  return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
}

// An operation on another thread, because a token is slow. Its answer is a number or bytes; an
// error, which it writes as text, rejects the promise with the code EKEY.
template <typename Answer>
class KeyQuestion : public Napi::AsyncWorker {
 public:
  using Ask = std::function<Answer(std::string& error)>;
  KeyQuestion(Napi::Env env, Ask ask)
      : Napi::AsyncWorker(env, "spliced key"),
        promise_(Napi::Promise::Deferred::New(env)),
        ask_(std::move(ask)) {}
  // The worker frees itself at its end.
  Napi::Promise begin() {
    const Napi::Promise promise = promise_.Promise();
    Queue();
    return promise;
  }

 protected:
  void Execute() override {
    std::string error;
    answer_ = ask_(error);
    if (!error.empty()) SetError(error);
  }
  void OnOK() override { promise_.Resolve(to_javascript(Env(), answer_)); }
  void OnError(const Napi::Error& error) override {
    error.Value().Set("code", "EKEY");
    promise_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred promise_;
  Ask ask_;
  Answer answer_{};
};

Napi::Value public_key_of(const Napi::CallbackInfo& info) {
  Napi::Object from = Napi::Object::New(info.Env());
  from.Set("reference", info[0]);
  const std::string reference = text(from, "reference");
  auto* question = new KeyQuestion<std::string>(info.Env(), [reference](std::string& error) {
    return engine::public_key_of(reference, error);
  });
  return question->begin();
}

Napi::Value sign_with_key(const Napi::CallbackInfo& info) {
  Napi::Object from = Napi::Object::New(info.Env());
  from.Set("reference", info[0]);
  from.Set("digest", info[1]);
  const std::string reference = text(from, "reference"), digest = text(from, "digest");
  if (!info[2].IsTypedArray()) invalid(info.Env(), "data", "a Uint8Array");
  const auto data = info[2].As<Napi::Uint8Array>();
  const std::string bytes(reinterpret_cast<const char*>(data.Data()), data.ByteLength());
  auto* question =
      new KeyQuestion<std::string>(info.Env(), [reference, digest, bytes](std::string& error) {
        return engine::sign_with_key(reference, digest, bytes, error);
      });
  return question->begin();
}

Napi::Value match_key(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object from = Napi::Object::New(env);
  from.Set("reference", info[0]);
  from.Set("certificates", info[1]);
  const std::string reference = text(from, "reference");
  const std::vector<std::string> certificates = texts(from, "certificates", kChainMax);
  auto* question = new KeyQuestion<int>(env, [reference, certificates](std::string& error) {
    return engine::match_key(reference, certificates, error);
  });
  return question->begin();
}

Napi::Value make_key(const Napi::CallbackInfo& info) {
  Napi::Object from = Napi::Object::New(info.Env());
  from.Set("reference", info[0]);
  from.Set("kind", info[1]);
  const std::string reference = text(from, "reference"), kind = text(from, "kind");
  auto* question = new KeyQuestion<int>(info.Env(), [reference, kind](std::string& error) {
    return engine::make_key(reference, kind, error);
  });
  return question->begin();
}

}  // namespace

void define_inspection(Napi::Env env, Napi::Object exports) {
  exports.Set("inspectTlsGroups", Napi::Function::New(env, inspect_tls_groups, "inspectTlsGroups"));
  exports.Set("matchKey", Napi::Function::New(env, match_key, "matchKey"));
  exports.Set("makeKey", Napi::Function::New(env, make_key, "makeKey"));
  exports.Set("publicKeyOf", Napi::Function::New(env, public_key_of, "publicKeyOf"));
  exports.Set("signWithKey", Napi::Function::New(env, sign_with_key, "signWithKey"));
}

}  // namespace spliced::seam
