// SPDX-License-Identifier: Apache-2.0
// See outgoing.hpp. Each step is made on a thread of Node's pool, because a token signs in one of
// them.
#include "seam/outgoing.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "engine/outgoing.hpp"
#include "seam/values.hpp"

namespace spliced::seam {
namespace {

struct Shared {
  std::mutex one_at_a_time;
  engine::Outgoing::Peer peer;
  std::unique_ptr<engine::Outgoing> session;  // since the first step
};

class Worker : public Napi::AsyncWorker {
 public:
  Worker(Napi::Env env, std::shared_ptr<Shared> shared, std::string from_network,
         std::string to_send)
      : Napi::AsyncWorker(env, "spliced outgoing"),
        promise_(Napi::Promise::Deferred::New(env)),
        shared_(std::move(shared)),
        from_network_(std::move(from_network)),
        to_send_(std::move(to_send)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    std::lock_guard<std::mutex> lock(shared_->one_at_a_time);
    if (!shared_->session) shared_->session = engine::Outgoing::start(shared_->peer, error_);
    if (shared_->session) step_ = shared_->session->step(from_network_, to_send_, error_);
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const auto buffer = [&](const std::string& bytes) {
      return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
    };
    Napi::Object out = Napi::Object::New(env);
    out.Set("toNetwork", buffer(step_.to_network));
    out.Set("received", buffer(step_.received));
    out.Set("isEstablished", step_.established);
    out.Set("hasEnded", step_.ended);
    out.Set("error", error_);
    promise_.Resolve(out);
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  std::shared_ptr<Shared> shared_;
  std::string from_network_, to_send_, error_;
  engine::Outgoing::Step step_;
};

class OutgoingObject : public Napi::ObjectWrap<OutgoingObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Outgoing", {InstanceMethod<&OutgoingObject::step>("step")});
  }

  explicit OutgoingObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<OutgoingObject>(info), shared_(std::make_shared<Shared>()) {
    if (!info[0].IsObject()) invalid(info.Env(), "peer", "an object");
    const Napi::Object peer = info[0].As<Napi::Object>();
    shared_->peer = {text(peer, "name"), text(peer, "anchors"), text(peer, "chain"),
                     text(peer, "reference")};
  }

 private:
  // step(fromNetwork, toSend): bytes, of which either may be none.
  Napi::Value step(const Napi::CallbackInfo& info) {
    auto* worker = new Worker(info.Env(), shared_, bytes_of(info, 0), bytes_of(info, 1));
    const Napi::Promise promise = worker->promise();
    worker->Queue();  // frees itself when it is done
    return promise;
  }

  static std::string bytes_of(const Napi::CallbackInfo& info, size_t index) {
    if (!info[index].IsTypedArray()) invalid(info.Env(), "bytes", "a Uint8Array");
    const auto data = info[index].As<Napi::Uint8Array>();
    return {reinterpret_cast<const char*>(data.Data()), data.ByteLength()};
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace

void define_outgoing(Napi::Env env, Napi::Object exports) {
  exports.Set("Outgoing", OutgoingObject::define(env));
}

}  // namespace spliced::seam
