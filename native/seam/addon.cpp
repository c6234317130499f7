// SPDX-License-Identifier: Apache-2.0
// The Node-API entry: class Engine, as src/engine/native.ts types it. No descriptor number
// crosses in either direction; events come back in batches on the Node thread.
#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "seam/experiment.hpp"
#include "seam/options.hpp"

namespace spliced::seam {
namespace {

Napi::Object to_javascript(Napi::Env env, const engine::Event& event) {
  Napi::Object out = Napi::Object::New(env);
  switch (event.type) {
    case engine::Event::Type::Started:
      out.Set("type", "started");
      out.Set("ring", event.backend);
      out.Set("reason", event.reason);
      break;
    case engine::Event::Type::Stopped:
      out.Set("type", "stopped");
      out.Set("drained", static_cast<double>(event.drained));
      out.Set("aborted", static_cast<double>(event.aborted));
      out.Set("durationMs", static_cast<double>(event.duration_ms));
      break;
    case engine::Event::Type::Failed:
      out.Set("type", "failed");
      out.Set("reason", event.reason);
      break;
  }
  return out;
}

// Events on their way to the Node thread. An engine sends two in its life, so the batch is small.
// Shared with the deliveries that Node has queued, which may come after the engine was closed.
class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  EventQueue(Napi::Env env, const Napi::Function& callback)
      : deliver_(Napi::ThreadSafeFunction::New(env, callback, "spliced events", 0, 1)) {}

  // Engine thread; not after release().
  void push(engine::Event event) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      events_.push_back(std::move(event));
    }
    deliver_.NonBlockingCall([self = shared_from_this()](Napi::Env env, Napi::Function callback) {
      std::vector<engine::Event> batch = self->take();
      if (batch.empty()) return;
      Napi::Array list = Napi::Array::New(env, batch.size());
      for (uint32_t i = 0; i < batch.size(); i++) list.Set(i, to_javascript(env, batch[i]));
      try {
        callback.Call({list});
      } catch (const Napi::Error& error) {
        // Node-API swallows what a thread-safe function's callback throws; we must not.
        napi_fatal_exception(env, error.Value());
      }
    });
  }

  // Node thread, once, when no thread pushes any more: the event loop is no longer held open.
  void release() { deliver_.Release(); }

 private:
  std::vector<engine::Event> take() {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<engine::Event> batch;
    batch.swap(events_);
    return batch;
  }

  std::mutex mutex_;
  std::vector<engine::Event> events_;
  Napi::ThreadSafeFunction deliver_;
};

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Engine",
        {
            InstanceMethod<&EngineObject::listeners>("listeners"),
            InstanceMethod<&EngineObject::start>("start"),
            InstanceMethod<&EngineObject::stats>("stats"),
            InstanceMethod<&EngineObject::replace_certificates>("replaceCertificates"),
            InstanceMethod<&EngineObject::set_daemon_status>("setDaemonStatus"),
            InstanceMethod<&EngineObject::stop>("stop"),
            InstanceMethod<&EngineObject::close>("close"),
        });
  }

  explicit EngineObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineObject>(info) {
    const engine::Options options = read_options(info[0]);
    engine::Failure failure;
    engine_ = engine::Engine::create(options, failure);
    if (!engine_) throw_with_code(info.Env(), failure.code, failure.message);
  }

  ~EngineObject() override { shut_down(); }

 private:
  static void on_exit(void* self) { static_cast<EngineObject*>(self)->shut_down(); }

  // Joins the engine's threads, then lets go of Node. Idempotent.
  void shut_down() {
    if (engine_) engine_->close();
    if (!events_) return;
    events_->release();
    events_.reset();
    napi_remove_env_cleanup_hook(Env(), on_exit, this);
  }

  engine::Engine& running(const Napi::CallbackInfo& info) {
    if (closed_) throw_with_code(info.Env(), "ECLOSED", "the engine has been closed");
    return *engine_;
  }

  Napi::Value listeners(const Napi::CallbackInfo& info) {
    const auto bound = running(info).listeners();
    Napi::Array list = Napi::Array::New(info.Env(), bound.size());
    for (uint32_t i = 0; i < bound.size(); i++) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("address", bound[i].address);
      entry.Set("port", static_cast<double>(bound[i].port));
      list.Set(i, entry);
    }
    return list;
  }

  void start(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    if (!info[0].IsFunction())
      throw_with_code(info.Env(), "EINVAL_OPTION", "start() needs a function for the events");
    if (events_) throw_with_code(info.Env(), "EINVAL_OPTION", "the engine was started before");
    events_ = std::make_shared<EventQueue>(info.Env(), info[0].As<Napi::Function>());
    // Hooks run in reverse: ours, added after the thread-safe function's own, joins the threads
    // before Node destroys what they push to.
    napi_add_env_cleanup_hook(info.Env(), on_exit, this);
    Ref();  // running: not for the garbage collector
    engine::Failure failure;
    const bool started = engine.start(
        [queue = events_](engine::Event event) { queue->push(std::move(event)); }, failure);
    if (started) return;
    shut_down();
    Unref();
    throw_with_code(info.Env(), failure.code, failure.message);
  }

  Napi::Value stats(const Napi::CallbackInfo& info) {
    return Napi::String::New(info.Env(), running(info).status_json());
  }

  void replace_certificates(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    engine::Failure failure;
    if (!engine.replace_certificates(read_certificates(info.Env(), info[0]), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  // The text is JSON of our own TypeScript: looked at for its form and length alone.
  void set_daemon_status(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    std::string json = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    const bool object = json.size() >= 2 && json.front() == '{' && json.back() == '}';
    if (!object || !engine.set_daemon_status(std::move(json)))
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "setDaemonStatus() needs the text of a JSON object of at most 8 KiB");
  }

  void stop(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    const double timeout_ms = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(timeout_ms >= 0 && timeout_ms <= UINT32_MAX))
      throw_with_code(info.Env(), "EINVAL_OPTION", "stop() needs a time-out in milliseconds");
    engine.stop(static_cast<uint32_t>(timeout_ms));
  }

  void close(const Napi::CallbackInfo&) {
    if (closed_) return;
    closed_ = true;
    const bool started = events_ != nullptr;
    shut_down();
    engine_.reset();  // the root and the certificates go now, not with the garbage collector
    if (started) Unref();
  }

  std::shared_ptr<EventQueue> events_;  // while started and not closed
  std::unique_ptr<engine::Engine> engine_;
  bool closed_ = false;
};

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", EngineObject::define(env));
  define_doctor(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(spliced, initialise)

}  // namespace spliced::seam
