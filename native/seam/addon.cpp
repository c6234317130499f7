// SPDX-License-Identifier: Apache-2.0
// The Node-API entry: class Service, typed in src/engine/native.ts. The only descriptor numbers that
// cross are those of listening sockets, which the service manager passes and keeps. Events come
// back in batches on the Node thread.
#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "engine/service.hpp"
#include "seam/experiment.hpp"
#include "seam/inspection.hpp"
#include "seam/javascript.hpp"
#include "seam/notify.hpp"
#include "seam/options.hpp"
#include "seam/outgoing.hpp"
#include "seam/process.hpp"
#include "seam/self_request.hpp"
#include "seam/site_options.hpp"
#include "seam/upload.hpp"

namespace spliced::seam {
namespace {

// Events on their way to the Node thread. An engine sends two in its life, so a batch is small.
// Shared with the deliveries that Node has queued, which may run after the engine was closed.
class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  EventQueue(Napi::Env env, const Napi::Function& callback)
      : deliver_(Napi::ThreadSafeFunction::New(env, callback, "spliced events", 0, 1)) {}

  // On an engine's thread. After release() nothing is delivered; only an engine that was abandoned
  // still pushes.
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
        // Node-API ignores an exception of a thread-safe function's callback, so it is made fatal
        // here.
        napi_fatal_exception(env, error.Value());
      }
    });
  }

  // On the Node thread, once. It no longer keeps the event loop alive.
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

class ServiceObject : public Napi::ObjectWrap<ServiceObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Service",
        {
            InstanceMethod<&ServiceObject::listeners>("listeners"),
            InstanceMethod<&ServiceObject::start>("start"),
            InstanceMethod<&ServiceObject::stats>("stats"),
            InstanceMethod<&ServiceObject::replace_certificates>("replaceCertificates"),
            InstanceMethod<&ServiceObject::replace_client_certificates>(
                "replaceClientCertificates"),
            InstanceMethod<&ServiceObject::replace_site>("replaceSite"),
            InstanceMethod<&ServiceObject::ping>("ping"),
            InstanceMethod<&ServiceObject::pulse>("pulse"),
            InstanceMethod<&ServiceObject::set_offload>("setOffload"),
            InstanceMethod<&ServiceObject::set_canary>("setCanary"),
            InstanceMethod<&ServiceObject::expect_canary>("expectCanary"),
            InstanceMethod<&ServiceObject::set_uploads>("setUploads"),
            InstanceMethod<&ServiceObject::annotate>("annotate"),
            InstanceMethod<&ServiceObject::log_connections>("logConnections"),
            InstanceMethod<&ServiceObject::take_connections>("takeConnections"),
            InstanceMethod<&ServiceObject::take_refusals>("takeRefusals"),
            InstanceMethod<&ServiceObject::take_incidents>("takeIncidents"),
            InstanceMethod<&ServiceObject::replace_engine>("replaceEngine"),
            InstanceMethod<&ServiceObject::free_engine>("freeEngine"),
            InstanceMethod<&ServiceObject::conclude_stop>("concludeStop"),
            InstanceMethod<&ServiceObject::thread_state>("threadState"),
            InstanceMethod<&ServiceObject::stop>("stop"),
            InstanceMethod<&ServiceObject::close>("close"),
        });
  }

  explicit ServiceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ServiceObject>(info) {
    const engine::Options options = read_options(info[0]);
    engine::Failure failure;
    service_ = engine::Service::create(options, failure);
    if (!service_) throw_with_code(info.Env(), failure.code, failure.message, failure.system_error);
  }

  ~ServiceObject() override { shut_down(); }

 private:
  static void on_exit(void* self) { static_cast<ServiceObject*>(self)->shut_down(); }

  // Joins the engines' threads, then releases Node's references. Idempotent. False: a thread hangs
  // in the kernel, and the service is leaked for good.
  bool shut_down(uint32_t wait_ms = limits::kCloseWaitMs, bool retire = false) {
    const bool joined = !service_ || service_->close(wait_ms);
    if (!joined) {
      if (retire) service_->listeners().retire();
      (void)service_.release();
    }
    if (!events_) return joined;
    events_->release();
    events_.reset();
    napi_remove_env_cleanup_hook(Env(), on_exit, this);
    return joined;
  }

  engine::Service& running(const Napi::CallbackInfo& info) {
    if (closed_) throw_with_code(info.Env(), "ECLOSED", "the engine has been closed");
    return *service_;
  }

  Napi::Value listeners(const Napi::CallbackInfo& info) {
    const auto bound = running(info).listeners().bound();
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

  // Reads the index of an engine that serves.
  size_t engine_index(const Napi::CallbackInfo& info, engine::Service& service, size_t argument) {
    const Napi::Value value = info[argument];
    const double index = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(index >= 0 && index < static_cast<double>(service.engines())))
      throw_with_code(info.Env(), "EINVAL_OPTION", "there is no engine of this index");
    return static_cast<size_t>(index);
  }

  Napi::Value thread_state(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    const char state = service.engine(engine_index(info, service, 0)).thread_state();
    return Napi::String::New(info.Env(), state == 0 ? std::string() : std::string(1, state));
  }

  void replace_engine(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    engine::Failure failure;
    if (!service.replace_engine(engine_index(info, service, 0), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void free_engine(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    const double id = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (id >= 0 && id <= UINT32_MAX) service.free_engine(static_cast<uint32_t>(id));
  }

  void conclude_stop(const Napi::CallbackInfo& info) { running(info).conclude_stop(); }

  void start(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    if (!info[0].IsFunction())
      throw_with_code(info.Env(), "EINVAL_OPTION", "start() needs a function for the events");
    if (events_) throw_with_code(info.Env(), "EINVAL_OPTION", "the engine was started before");
    events_ = std::make_shared<EventQueue>(info.Env(), info[0].As<Napi::Function>());
    // Hooks run in reverse order. Ours is added after the thread-safe function's own, so it joins
    // the threads before Node destroys what they push to.
    napi_add_env_cleanup_hook(info.Env(), on_exit, this);
    Ref();  // running, so it must not be garbage-collected
    engine::Failure failure;
    const bool started = service.start(
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
    engine::Service& service = running(info);
    engine::Failure failure;
    if (!service.replace_certificates(read_certificates(info.Env(), info[0]), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void replace_client_certificates(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    engine::Failure failure;
    if (!service.replace_client_certificates(read_client_certificates(info.Env(), info[0]),
                                             failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void replace_site(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    engine::Failure failure;
    if (!service.replace_site(read_site(info.Env(), info[0], service.root()), failure))
      throw_with_code(info.Env(), failure.code, failure.message);
  }

  void ping(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    service.ping(engine_index(info, service, 0));
  }

  Napi::Value pulse(const Napi::CallbackInfo& info) {
    return pulse_to_javascript(info.Env(), running(info));
  }

  void set_offload(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    const std::string mode = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    if (mode != "auto" && !(mode == "off" && info[1].IsString()))
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "setOffload() needs \"auto\", or \"off\" and a reason");
    const bool off = mode == "off";
    service.suspend_offload(off, off ? info[1].As<Napi::String>().Utf8Value() : "");
  }

  void set_canary(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    if (!info[0].IsTypedArray())
      throw_with_code(info.Env(), "EINVAL_OPTION", "setCanary() needs the body as bytes");
    const Napi::Uint8Array body = info[0].As<Napi::Uint8Array>();
    if (body.ByteLength() == 0 || body.ByteLength() > limits::kCanaryBytesMax)
      throw_with_code(info.Env(), "EINVAL_OPTION", "the canary's body has 1 byte to 1 MiB");
    if (!service.set_canary({reinterpret_cast<const char*>(body.Data()), body.ByteLength()}))
      throw_with_code(info.Env(), "ECANARY",
                      "no memory or descriptor for the canary's body: raise MemoryMax or "
                      "LimitNOFILE");
  }

  void expect_canary(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    const double port = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(port >= 0 && port <= 65535) || !info[1].IsBoolean())
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "expectCanary() needs a port, and whether the kernel encrypts");
    const size_t index = info[2].IsUndefined() ? 0 : engine_index(info, service, 2);
    service.expect_canary(index, static_cast<uint16_t>(port), info[1].As<Napi::Boolean>().Value());
  }

  void set_uploads(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    service.set_uploads(read_uploads(info[0]));
  }

  void annotate(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    if (!info[0].IsString() || !info[1].IsString() ||
        !service.annotate(info[0].As<Napi::String>().Utf8Value(),
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

  Napi::Value take_incidents(const Napi::CallbackInfo& info) {
    return to_javascript(info.Env(), running(info).incident_log().take());
  }

  void stop(const Napi::CallbackInfo& info) {
    engine::Service& service = running(info);
    const double timeout_ms = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(timeout_ms >= 0 && timeout_ms <= UINT32_MAX))
      throw_with_code(info.Env(), "EINVAL_OPTION", "stop() needs a time-out in milliseconds");
    service.stop(static_cast<uint32_t>(timeout_ms));
  }

  // close(waitMs?, retireListeners?): see src/engine/native.ts.
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (closed_) return Napi::Boolean::New(info.Env(), joined_);
    closed_ = true;
    const bool started = events_ != nullptr;
    const bool bounded = info[0].IsNumber();
    joined_ = shut_down(bounded ? info[0].As<Napi::Number>().Uint32Value() : limits::kCloseWaitMs,
                        info[1].ToBoolean().Value());
    service_.reset();  // frees the root and the certificates now, not at garbage collection
    if (started) Unref();
    return Napi::Boolean::New(info.Env(), joined_);
  }

  std::shared_ptr<EventQueue> events_;  // while started and not closed
  std::unique_ptr<engine::Service> service_;
  bool closed_ = false, joined_ = true;
};

// Reports what the settings contain, without an engine: for checks before anything is changed, and
// for the log. Throws as the engine would.
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
  exports.Set("Service", ServiceObject::define(env));
  exports.Set("inspectClientCertificates",
              Napi::Function::New(env, inspect_client_certificates, "inspectClientCertificates"));
  define_inspection(env, exports);
  define_self_request(env, exports);
  define_doctor(env, exports);
  define_notify(env, exports);
  define_outgoing(env, exports);
  define_process(env, exports);
  define_upload(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(spliced, initialise)

}  // namespace spliced::seam
