// SPDX-License-Identifier: Apache-2.0
// See record_output.hpp.
#include "tls/record_output.hpp"

#include <openssl/bio.h>

namespace spliced::tls {
namespace {

int on_write(BIO* bio, const char* data, int bytes) {
  return static_cast<RecordOutput*>(BIO_get_data(bio))->write(data, bytes);
}

// OpenSSL flushes at the end of each flight (BIO_flush(3)), and asks for nothing else.
long on_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "output");
    if (fresh != nullptr) {
      BIO_meth_set_write(fresh, on_write);
      BIO_meth_set_ctrl(fresh, on_control);
    }
    return fresh;
  }();
  return made;
}

}  // namespace

BIO* RecordOutput::open() {
  BIO* bio = method() != nullptr ? BIO_new(method()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

int RecordOutput::write(const char* data, int bytes) {
  text_.erase(0, sent_);
  sent_ = 0;
  text_.append(data, static_cast<size_t>(bytes));
  return bytes;
}

}  // namespace spliced::tls
