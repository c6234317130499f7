// SPDX-License-Identifier: Apache-2.0
// What OpenSSL has written and the socket has not taken: whole records, in their order. OpenSSL's
// memory BIO would clear its memory before and after each of them (crypto/buffer/buffer.c:
// BUF_MEM_grow_clean; crypto/bio/bss_mem.c: mem_ctrl), twice the work of a copy.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

typedef struct bio_st BIO;

namespace spliced::tls {

class RecordOutput {
 public:
  // Makes a BIO that writes to this object, which must outlive it. Null without memory.
  BIO* open();

  std::string_view unsent() const { return std::string_view(text_).substr(sent_); }
  // The socket has taken so many of the unsent bytes. The memory is kept, see release().
  void sent(size_t bytes) {
    sent_ += bytes;
    if (sent_ < text_.size()) return;
    text_.clear();
    sent_ = 0;
  }
  // Frees the memory, if nothing is unsent.
  void release() {
    if (text_.empty()) std::string().swap(text_);
  }

  int write(const char* data, int bytes);  // for the BIO's method alone

 private:
  std::string text_;
  size_t sent_ = 0;  // of the text
};

}  // namespace spliced::tls
