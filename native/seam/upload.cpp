// SPDX-License-Identifier: Apache-2.0
// See upload.hpp. The file is opened here, so that its descriptor does not cross to JavaScript.
#include "seam/upload.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <mutex>

#include "base/limits.hpp"
#include "seam/options.hpp"
#include "seam/values.hpp"
#include "upload/keeper.hpp"

namespace spliced::seam {
namespace {

// Distinguishes an Upload from other objects of the addon.
constexpr napi_type_tag kTag = {0x5bd1e9955bd1e995, 0x75706c6f61644f62};

constexpr uint64_t kLengthMax = (uint64_t{1} << 53) - 1;  // Number.MAX_SAFE_INTEGER

// Calls JavaScript on the Node thread, once for everything since the last call; the snapshot has
// the news. Shared with the calls that Node has queued.
class News : public std::enable_shared_from_this<News> {
 public:
  News(Napi::Env env, const Napi::Function& callback)
      : deliver_(Napi::ThreadSafeFunction::New(env, callback, "spliced upload", 0, 1)) {}

  void tell() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (released_ || waiting_) return;
    waiting_ = true;
    deliver_.NonBlockingCall([self = shared_from_this()](Napi::Env env, Napi::Function callback) {
      if (!self->take()) return;
      try {
        callback.Call({});
      } catch (const Napi::Error& error) {
        napi_fatal_exception(env, error.Value());  // Node-API would ignore it
      }
    });
  }

  void release() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!released_) deliver_.Release();
    released_ = true;
  }

 private:
  bool take() {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_ = false;
    return !released_;
  }

  std::mutex mutex_;
  bool waiting_ = false, released_ = false;
  Napi::ThreadSafeFunction deliver_;
};

class UploadObject : public Napi::ObjectWrap<UploadObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Upload",
                       {
                           InstanceMethod<&UploadObject::snapshot>("snapshot"),
                           InstanceMethod<&UploadObject::conclude>("conclude"),
                           InstanceMethod<&UploadObject::sync>("sync"),
                           InstanceMethod<&UploadObject::close>("close"),
                       });
  }

  explicit UploadObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<UploadObject>(info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject() || !info[1].IsFunction())
      throw_with_code(env, "EINVAL_OPTION", "an Upload needs options and a function for its news");
    const Napi::Object options = info[0].As<Napi::Object>();
    const std::string id = text(options, "id"), path = text(options, "path");
    if (id.empty() || id.size() > limits::kUploadIdBytesMax)
      invalid(env, "id", "1 to 64 characters");
    const uint64_t length = integer(options, "length", 0, kLengthMax);
    const uint64_t offset = integer(options, "offset", 0, length);
    os::Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0)
      throw_with_code(env, "EUPLOAD", path + ": " + ::strerror(errno));
    if (!S_ISREG(found.st_mode) || static_cast<uint64_t>(found.st_size) != offset)
      throw_with_code(env, "EUPLOAD",
                      path + ": is not a file of " + std::to_string(offset) + " bytes");
    ticket_ = std::make_shared<upload::Ticket>(id, std::move(file), length, offset);
    news_ = std::make_shared<News>(env, info[1].As<Napi::Function>());
    napi_add_env_cleanup_hook(env, on_exit, this);
    if (!keeper_.start(ticket_, [news = news_] { news->tell(); })) {
      end(0);
      throw_with_code(env, "ETHREAD", "cannot start a thread: raise TasksMax or RLIMIT_NPROC");
    }
    info.This().As<Napi::Object>().TypeTag(&kTag);
    Ref();  // open, so it must not be garbage-collected
  }

  ~UploadObject() override { end(limits::kCloseWaitMs); }

  const std::shared_ptr<upload::Ticket>& ticket() const { return ticket_; }

 private:
  static void on_exit(void* self) { static_cast<UploadObject*>(self)->end(limits::kCloseWaitMs); }

  // False: the thread waits for the disk. It keeps what it uses alive, and ends when the disk
  // answers.
  bool end(uint32_t wait_ms) {
    if (!news_) return true;
    const bool joined = keeper_.close(wait_ms);
    news_->release();
    news_.reset();
    if (!joined) new upload::Keeper(std::move(keeper_));
    napi_remove_env_cleanup_hook(Env(), on_exit, this);
    return joined;
  }

  Napi::Value snapshot(const Napi::CallbackInfo& info) {
    const upload::Snapshot now = ticket_->snapshot();
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("offset", static_cast<double>(now.offset));
    out.Set("durable", static_cast<double>(now.durable));
    out.Set("sha256", now.sha256);
    out.Set("error", now.error == 0 ? std::string() : std::string(::strerror(now.error)));
    out.Set("isBroken", now.broken);
    out.Set("isReceiving", now.receiving);
    out.Set("hasPartEnded", now.part_ended);
    return out;
  }

  void conclude(const Napi::CallbackInfo& info) {
    const double status = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(status == 200 || status == 422 || status == 500) || !info[1].IsString())
      throw_with_code(info.Env(), "EINVAL_OPTION",
                      "conclude() needs 200, 422 or 500, and the text of the answer");
    ticket_->conclude({static_cast<uint16_t>(status), info[1].As<Napi::String>().Utf8Value()});
  }

  void sync(const Napi::CallbackInfo&) { ticket_->sync_now(); }

  Napi::Value close(const Napi::CallbackInfo& info) {
    const bool open = news_ != nullptr;
    const bool joined = end(limits::kCloseWaitMs);
    if (open) Unref();
    return Napi::Boolean::New(info.Env(), joined);
  }

  std::shared_ptr<upload::Ticket> ticket_;
  std::shared_ptr<News> news_;  // null once closed
  upload::Keeper keeper_;
};

// Reserves the file system's blocks for what is still to come, beyond the file's end; the content
// does not change. Off the Node thread, because some file systems write these blocks.
class Reservation : public Napi::AsyncWorker {
 public:
  Reservation(Napi::Env env, std::string path, uint64_t length)
      : Napi::AsyncWorker(env, "spliced reservation"),
        promise_(Napi::Promise::Deferred::New(env)),
        path_(std::move(path)),
        length_(length) {}

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    const os::Fd file(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file) {
      error_ = errno;
    } else if (length_ > 0 &&
               ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(length_)) != 0) {
      error_ = errno;
    }
  }
  void OnOK() override {
    const bool unknown = error_ == EOPNOTSUPP || error_ == ENOSYS;  // ubifs, jffs2
    if (error_ == 0 || unknown) return promise_.Resolve(Napi::Boolean::New(Env(), error_ == 0));
    Napi::Error failure = Napi::Error::New(Env(), path_ + ": " + ::strerror(error_));
    const bool full = error_ == ENOSPC || error_ == EDQUOT || error_ == EFBIG;
    failure.Set("code", Napi::String::New(Env(), full ? "ENOSPC" : "EUPLOAD"));
    promise_.Reject(failure.Value());
  }

 private:
  Napi::Promise::Deferred promise_;
  std::string path_;
  uint64_t length_;
  int error_ = 0;
};

Napi::Value reserve_file(const Napi::CallbackInfo& info) {
  const double length = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
  if (!info[0].IsString() || !(length >= 0 && length <= static_cast<double>(kLengthMax)))
    throw_with_code(info.Env(), "EINVAL_OPTION", "reserveFile() needs a path and a length");
  auto* worker = new Reservation(info.Env(), info[0].As<Napi::String>().Utf8Value(),
                                 static_cast<uint64_t>(length));
  const Napi::Promise promise = worker->promise();
  worker->Queue();  // frees itself at its end
  return promise;
}

}  // namespace

void define_upload(Napi::Env env, Napi::Object exports) {
  exports.Set("Upload", UploadObject::define(env));
  exports.Set("reserveFile", Napi::Function::New(env, reserve_file, "reserveFile"));
}

std::vector<std::shared_ptr<upload::Ticket>> read_uploads(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsArray() || value.As<Napi::Array>().Length() > limits::kUploadsMax)
    invalid(env, "uploads", "an array of at most " + std::to_string(limits::kUploadsMax));
  std::vector<std::shared_ptr<upload::Ticket>> tickets;
  const Napi::Array list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object object = object_at(list, i, "uploads");
    if (!object.CheckTypeTag(&kTag)) invalid(env, "uploads", "an array of Upload objects");
    tickets.push_back(UploadObject::Unwrap(object)->ticket());
  }
  return tickets;
}

}  // namespace spliced::seam
