// SPDX-License-Identifier: Apache-2.0
// See experiment.hpp.
#include "seam/experiment.hpp"

#include <string.h>

#include "engine/board.hpp"
#include "experiment/cipher_check.hpp"
#include "experiment/load.hpp"
#include "experiment/naive_server.hpp"
#include "experiment/slow_clients.hpp"
#include "seam/options.hpp"

namespace spliced::seam {
namespace {

// Bounds of the arguments. At worst the memory of `parallel` bodies is pending.
constexpr uint32_t kDownloadsMax = 256;
constexpr uint32_t kParallelMax = 32;
constexpr uint64_t kBodyBytesMax = 4 * 1024 * 1024;
constexpr uint32_t kBufferBytesMax = 1024 * 1024;
constexpr uint32_t kBytesPerSecondMax = 1u << 30;
constexpr uint32_t kTimeoutMsMax = 60'000;
constexpr uint32_t kCheckMsMax = 24 * 3600 * 1000;

uint64_t integer(const Napi::Object& object, const char* field, uint64_t least, uint64_t most) {
  const Napi::Value value = object.Get(field);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= static_cast<double>(least) && number <= static_cast<double>(most))
    return static_cast<uint64_t>(number);
  throw_with_code(object.Env(), "EINVAL_OPTION",
                  std::string("option \"") + field + "\" must be a number from " +
                      std::to_string(least) + " to " + std::to_string(most));
}

// Runs on a thread of Node's pool. Without the port of an engine it starts its own, naive server.
class Experiment : public Napi::AsyncWorker {
 public:
  Experiment(Napi::Env env, const Napi::Object& options)
      : Napi::AsyncWorker(env, "spliced experiment"), promise_(Napi::Promise::Deferred::New(env)) {
    plan_.port = static_cast<uint16_t>(integer(options, "port", 0, UINT16_MAX));
    plan_.downloads = static_cast<uint32_t>(integer(options, "downloads", 1, kDownloadsMax));
    plan_.parallel = static_cast<uint32_t>(integer(options, "parallel", 1, kParallelMax));
    plan_.body_bytes = integer(options, "bodyBytes", 1, kBodyBytesMax);
    plan_.receive_buffer_bytes =
        static_cast<uint32_t>(integer(options, "receiveBufferBytes", 1, kBufferBytesMax));
    plan_.bytes_per_s =
        static_cast<uint32_t>(integer(options, "bytesPerSecond", 1, kBytesPerSecondMax));
    plan_.timeout_ms = static_cast<uint32_t>(integer(options, "timeoutMs", 1, kTimeoutMsMax));
    file_ = options.Get("file").ToString().Utf8Value();
    certificate_ = read_certificates(env, options.Get("certificates")).front();
  }

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    std::unique_ptr<experiment::NaiveServer> naive;
    std::string error;
    if (plan_.port == 0) {
      naive = experiment::NaiveServer::start(certificate_, file_, error);
      if (!naive) return SetError(error);
      plan_.port = naive->port();
    }
    tally_ = experiment::download_slowly(plan_);
    if (naive) not_promoted_ = naive->not_promoted();
  }

  void OnOK() override {
    Napi::Object out = Napi::Object::New(Env());
    out.Set("complete", static_cast<double>(tally_.complete));
    out.Set("truncated", static_cast<double>(tally_.truncated));
    out.Set("failed", static_cast<double>(tally_.failed));
    out.Set("unfinished", static_cast<double>(tally_.unfinished));
    out.Set("notPromoted", static_cast<double>(not_promoted_));
    out.Set("missingBytes", static_cast<double>(tally_.missing_bytes));
    out.Set("missingBytesMax", static_cast<double>(tally_.missing_bytes_max));
    out.Set("durationMs", static_cast<double>(tally_.duration_ms));
    promise_.Resolve(out);
  }

  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  experiment::Plan plan_;
  tls::CertificatePem certificate_;
  std::string file_;
  experiment::Tally tally_;
  uint32_t not_promoted_ = 0;
};

class Load : public Napi::AsyncWorker {
 public:
  Load(Napi::Env env, const Napi::Object& options)
      : Napi::AsyncWorker(env, "spliced load"), promise_(Napi::Promise::Deferred::New(env)) {
    plan_.port = static_cast<uint16_t>(integer(options, "port", 1, UINT16_MAX));
    plan_.path = options.Get("path").ToString().Utf8Value();
    plan_.body_bytes = integer(options, "bodyBytes", 1, kBodyBytesMax);
    plan_.connections = static_cast<uint32_t>(integer(options, "connections", 1, kParallelMax));
    plan_.duration_ms = static_cast<uint32_t>(integer(options, "durationMs", 1, kTimeoutMsMax));
  }

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    std::string error;
    if (!experiment::measure_load(plan_, figures_, error)) SetError(error);
  }

  void OnOK() override {
    Napi::Object out = Napi::Object::New(Env());
    out.Set("responses", static_cast<double>(figures_.responses));
    out.Set("bodyBytes", static_cast<double>(figures_.body_bytes));
    out.Set("durationMs", static_cast<double>(figures_.duration_ms));
    out.Set("clientUs", static_cast<double>(figures_.client_us));
    out.Set("processUs", static_cast<double>(figures_.process_us));
    out.Set("systemUs", static_cast<double>(figures_.system_us));
    promise_.Resolve(out);
  }

  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  experiment::LoadPlan plan_;
  experiment::LoadFigures figures_;
};

class CipherCheck : public Napi::AsyncWorker {
 public:
  CipherCheck(Napi::Env env, const Napi::Object& options)
      : Napi::AsyncWorker(env, "spliced check"), promise_(Napi::Promise::Deferred::New(env)) {
    plan_.duration_ms = static_cast<uint32_t>(integer(options, "durationMs", 1, kCheckMsMax));
    plan_.seed = integer(options, "seed", 0, UINT32_MAX);
  }

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    std::string error;
    if (!experiment::check_ciphers(plan_, figures_, error)) SetError(error);
  }

  void OnOK() override {
    Napi::Object out = Napi::Object::New(Env());
    out.Set("records", static_cast<double>(figures_.records));
    out.Set("bytes", static_cast<double>(figures_.bytes));
    out.Set("sockets", static_cast<double>(figures_.sockets));
    out.Set("lanes", static_cast<double>(figures_.lanes));
    out.Set("hanging", static_cast<double>(figures_.hanging));
    out.Set("durationMs", static_cast<double>(figures_.duration_ms));
    if (figures_.difference)
      out.Set("difference", difference(*figures_.difference));
    else
      out.Set("difference", Env().Null());
    promise_.Resolve(out);
  }

  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Object difference(const experiment::CipherDifference& from) {
    static constexpr const char* kFaults[] = {"wrong_bytes", "refused", "no_answer"};
    Napi::Object out = Napi::Object::New(Env());
    const auto bytes = [&](const char* name, const std::string& text) {
      out.Set(name, Napi::Buffer<char>::Copy(Env(), text.data(), text.size()));
    };
    out.Set("fault", kFaults[static_cast<size_t>(from.fault)]);
    out.Set("error", from.error != 0 ? ::strerror(from.error) : "");
    out.Set("version", tls::version_name(from.cipher->version));
    out.Set("cipher", from.cipher->name);
    out.Set("isDecrypting", from.decrypting);
    out.Set("sequence", static_cast<double>(from.sequence));
    out.Set("offset", static_cast<double>(from.offset));
    out.Set("how", from.how);
    bytes("key", from.key);
    bytes("nonce", from.nonce);
    bytes("additional", from.additional);
    bytes("input", from.input);
    bytes("expected", from.expected);
    bytes("got", from.got);
    return out;
  }

  Napi::Promise::Deferred promise_;
  experiment::CipherCheckPlan plan_;
  experiment::CipherCheckFigures figures_;
};

Napi::Value board_report(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), engine::board_json());
}

template <typename Worker>
Napi::Value run_worker(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw_with_code(info.Env(), "EINVAL_OPTION", "options are needed");
  auto* worker = new Worker(info.Env(), info[0].As<Napi::Object>());
  const Napi::Promise promise = worker->promise();
  worker->Queue();  // frees itself at its end
  return promise;
}

}  // namespace

void define_doctor(Napi::Env env, Napi::Object exports) {
  exports.Set("boardReport", Napi::Function::New(env, board_report, "boardReport"));
  exports.Set("reproduceTruncation",
              Napi::Function::New(env, run_worker<Experiment>, "reproduceTruncation"));
  exports.Set("checkCiphers", Napi::Function::New(env, run_worker<CipherCheck>, "checkCiphers"));
  exports.Set("measureLoad", Napi::Function::New(env, run_worker<Load>, "measureLoad"));
}

}  // namespace spliced::seam
