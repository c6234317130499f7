// SPDX-License-Identifier: Apache-2.0
// The Node-API entry: class Engine, as src/engine/native.ts types it. No descriptor number crosses
// but those of listening sockets, which the service manager hands over and keeps; events come back
// in batches on the Node thread.
#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "seam/experiment.hpp"
#include "seam/notify.hpp"
#include "seam/options.hpp"
#include "seam/self_request.hpp"
#include "seam/site_options.hpp"
#include "seam/upload.hpp"

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

Napi::Object to_javascript(Napi::Env env, uint64_t heartbeat, const conn::Figures& figures) {
  Napi::Object out = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) {
    out.Set(name, static_cast<double>(value));
  };
  set("heartbeat", heartbeat);
  set("ledgersStuck", figures.ledgers_stuck.get());
  set("canaries", figures.canaries.get());
  set("canariesOffloaded", figures.canaries_offloaded.get());
  return out;
}

Napi::Object to_javascript(Napi::Env env, const conn::ConnectionLog::Batch& batch) {
  Napi::Array records = Napi::Array::New(env, batch.records.size());
  for (uint32_t i = 0; i < batch.records.size(); i++) {
    const conn::ConnectionRecord& record = batch.records[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("peer", record.peer);
    entry.Set("durationMs", static_cast<double>(record.duration_ms));
    entry.Set("requests", static_cast<double>(record.requests));
    entry.Set("bytesSent", static_cast<double>(record.bytes));
    entry.Set("offloaded", record.offloaded);
    entry.Set("ending", record.ending);
    if (*record.failure != 0) entry.Set("handshakeFailure", record.failure);
    records.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("records", records);
  out.Set("lost", static_cast<double>(batch.lost));
  return out;
}

Napi::Object to_javascript(Napi::Env env, const conn::RefusalLog::Batch& batch) {
  Napi::Array refused = Napi::Array::New(env, batch.refused.size());
  for (uint32_t i = 0; i < batch.refused.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("peer", batch.refused[i].peer);
    entry.Set("reason", batch.refused[i].reason);
    entry.Set("subject", batch.refused[i].subject);
    refused.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("refused", refused);
  out.Set("lost", static_cast<double>(batch.lost));
  return out;
}

// Events on their way to the Node thread. An engine sends two in its life, so the batch is small.
// Shared with the deliveries that Node has queued, which may come after the engine was closed.
class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  EventQueue(Napi::Env env, const Napi::Function& callback)
      : deliver_(Napi::ThreadSafeFunction::New(env, callback, "spliced events", 0, 1)) {}

  // Engine thread. After release() nobody is told: only an engine that was given up still pushes.
  void push(engine::Event event) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (released_) return;
    events_.push_back(std::move(event));
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

  // Node thread, once: the event loop is no longer held open.
  void release() {
    std::lock_guard<std::mutex> lock(mutex_);
    released_ = true;
    deliver_.Release();
  }

 private:
  std::vector<engine::Event> take() {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<engine::Event> batch;
    batch.swap(events_);
    return batch;
  }

  std::mutex mutex_;
  std::vector<engine::Event> events_;
  bool released_ = false;
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
            InstanceMethod<&EngineObject::replace_client_certificates>("replaceClientCertificates"),
            InstanceMethod<&EngineObject::replace_site>("replaceSite"),
            InstanceMethod<&EngineObject::ping>("ping"),
            InstanceMethod<&EngineObject::pulse>("pulse"),
            InstanceMethod<&EngineObject::set_offload>("setOffload"),
            InstanceMethod<&EngineObject::set_canary>("setCanary"),
            InstanceMethod<&EngineObject::expect_canary>("expectCanary"),
            InstanceMethod<&EngineObject::set_uploads>("setUploads"),
            InstanceMethod<&EngineObject::annotate>("annotate"),
            InstanceMethod<&EngineObject::log_connections>("logConnections"),
            InstanceMethod<&EngineObject::take_connections>("takeConnections"),
            InstanceMethod<&EngineObject::take_refusals>("takeRefusals"),
            InstanceMethod<&EngineObject::share_listeners>("shareListeners"),
            InstanceMethod<&EngineObject::thread_state>("threadState"),
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

  // Joins the engine's threads, then lets go of Node. Idempotent. False: a thread hangs in the
  // kernel; the engine is left to it, for good.
  bool shut_down(uint32_t wait_ms = limits::kCloseWaitMs, bool retire = false) {
    const bool joined = !engine_ || engine_->close(wait_ms);
    if (!joined) {
      if (retire) engine_->retire_listeners();
      (void)engine_.release();
    }
    if (!events_) return joined;
    events_->release();
    events_.reset();
    napi_remove_env_cleanup_hook(Env(), on_exit, this);
    return joined;
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
      entry.Set("fd", static_cast<double>(bound[i].fd));
      list.Set(i, entry);
    }
    return list;
  }

  Napi::Value share_listeners(const Napi::CallbackInfo& info) {
    const std::vector<int> shared = running(info).share_listeners();
    Napi::Array list = Napi::Array::New(info.Env(), shared.size());
    for (uint32_t i = 0; i < shared.size(); i++) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("fd", static_cast<double>(shared[i]));
      list.Set(i, entry);
    }
    return list;
  }

  Napi::Value thread_state(const Napi::CallbackInfo& info) {
    const char state = running(info).thread_state();
    return Napi::String::New(info.Env(), state == 0 ? std::string() : std::string(1, state));
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

  void replace_client_certificates(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    engine::Failure failure;
    if (!engine.replace_client_certificates(read_client_certificates(info.Env(), info[0]), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void replace_site(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    engine::Failure failure;
    if (!engine.replace_site(read_site(info.Env(), info[0], engine.root()), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void ping(const Napi::CallbackInfo& info) { running(info).ping(); }

  Napi::Value pulse(const Napi::CallbackInfo& info) {
    const engine::Engine& engine = running(info);
    return to_javascript(info.Env(), engine.heartbeat(), engine.figures());
  }

  void set_offload(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    const std::string mode = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    if (mode != "auto" && !(mode == "off" && info[1].IsString()))
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "setOffload() needs \"auto\", or \"off\" and a reason");
    const bool off = mode == "off";
    engine.suspend_offload(off, off ? info[1].As<Napi::String>().Utf8Value() : "");
  }

  void set_canary(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    if (!info[0].IsTypedArray())
      throw_with_code(info.Env(), "EINVAL_OPTION", "setCanary() needs the body as bytes");
    const Napi::Uint8Array body = info[0].As<Napi::Uint8Array>();
    if (body.ByteLength() == 0 || body.ByteLength() > limits::kCanaryBytesMax)
      throw_with_code(info.Env(), "EINVAL_OPTION", "the canary's body has 1 byte to 1 MiB");
    if (!engine.set_canary({reinterpret_cast<const char*>(body.Data()), body.ByteLength()}))
      throw_with_code(info.Env(), "ECANARY",
                      "no memory or descriptor for the canary's body: raise MemoryMax or "
                      "LimitNOFILE");
  }

  void expect_canary(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    const double port = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(port >= 0 && port <= 65535) || !info[1].IsBoolean())
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "expectCanary() needs a port, and whether the kernel encrypts");
    engine.expect_canary(static_cast<uint16_t>(port), info[1].As<Napi::Boolean>().Value());
  }

  void set_uploads(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    engine.set_uploads(read_uploads(info[0]));
  }

  void annotate(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    if (!info[0].IsString() || !info[1].IsString() ||
        !engine.annotate(info[0].As<Napi::String>().Utf8Value(),
                         info[1].As<Napi::String>().Utf8Value()))
      throw_with_code(
          info.Env(), "EINVAL_OPTION",
          "annotate() needs a name and a JSON text: 4 KiB at most, 8 KiB and 8 names in all");
  }

  void log_connections(const Napi::CallbackInfo& info) {
    running(info).connection_log().enable(info[0].ToBoolean().Value());
  }

  Napi::Value take_connections(const Napi::CallbackInfo& info) {
    return to_javascript(info.Env(), running(info).connection_log().take());
  }

  Napi::Value take_refusals(const Napi::CallbackInfo& info) {
    return to_javascript(info.Env(), running(info).refusal_log().take());
  }

  void stop(const Napi::CallbackInfo& info) {
    engine::Engine& engine = running(info);
    const double timeout_ms = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(timeout_ms >= 0 && timeout_ms <= UINT32_MAX))
      throw_with_code(info.Env(), "EINVAL_OPTION", "stop() needs a time-out in milliseconds");
    engine.stop(static_cast<uint32_t>(timeout_ms));
  }

  // close(waitMs?, retireListeners?): see src/engine/native.ts.
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (closed_) return Napi::Boolean::New(info.Env(), joined_);
    closed_ = true;
    const bool started = events_ != nullptr;
    const bool bounded = info[0].IsNumber();
    joined_ = shut_down(bounded ? info[0].As<Napi::Number>().Uint32Value() : limits::kCloseWaitMs,
                        info[1].ToBoolean().Value());
    engine_.reset();  // the root and the certificates go now, not with the garbage collector
    if (started) Unref();
    return Napi::Boolean::New(info.Env(), joined_);
  }

  std::shared_ptr<EventQueue> events_;  // while started and not closed
  std::unique_ptr<engine::Engine> engine_;
  bool closed_ = false, joined_ = true;
};

// What the settings amount to, without an engine: for checks before anything is changed, and for
// what the log says about them. Throws as the engine would.
Napi::Value inspect_client_certificates(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  engine::Failure failure;
  engine::ClientTrustReport report;
  if (!engine::inspect(read_client_certificates(env, info[0]), report, failure))
    throw_with_code(env, failure.code, failure.message);
  const auto milliseconds = [&](int64_t seconds) -> Napi::Value {
    if (seconds == INT64_MAX) return env.Null();
    return Napi::Number::New(env, static_cast<double>(seconds) * 1000);
  };
  Napi::Object out = Napi::Object::New(env);
  out.Set("authorities", static_cast<double>(report.authorities));
  out.Set("revocationLists", static_cast<double>(report.revocation_lists));
  out.Set("caNotAfterMs", milliseconds(report.ca_not_after_s));
  out.Set("crlNextUpdateMs", milliseconds(report.crl_next_update_s));
  return out;
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", EngineObject::define(env));
  exports.Set("inspectClientCertificates",
              Napi::Function::New(env, inspect_client_certificates, "inspectClientCertificates"));
  define_self_request(env, exports);
  define_doctor(env, exports);
  define_notify(env, exports);
  define_upload(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(spliced, initialise)

}  // namespace spliced::seam
