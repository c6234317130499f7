// SPDX-License-Identifier: Apache-2.0
// What the clients of the benchmarks share: counting plaintext by the records' lengths, so that the
// client's own decryption does not compete with the server for the guest's one CPU.
#pragma once
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

// Reads records until a number of bytes of application data have come, without decrypting them.
// `overhead` is what a record's length has more than its plaintext: 17 in TLS 1.3, 24 in TLS 1.2
// with AES-GCM.
class RecordReader {
 public:
  RecordReader(int socket, size_t overhead) : socket_(socket), overhead_(overhead) {}

  // False when the server has closed. Adds to the number of records.
  bool read_response(size_t plaintext, uint64_t* records) {
    while (plaintext > 0) {
      if (body_left_ > 0) {
        if (!fill()) return false;
        const size_t step = std::min(body_left_, end_ - begin_);
        begin_ += step;
        body_left_ -= step;
        continue;
      }
      while (end_ - begin_ < 5)
        if (!fill_more()) return false;
      const unsigned char* header = reinterpret_cast<unsigned char*>(buffer_) + begin_;
      body_left_ = header[3] << 8 | header[4];
      begin_ += 5;
      plaintext -= std::min(plaintext, body_left_ - overhead_);
      ++*records;
    }
    while (body_left_ > 0) {
      if (!fill()) return false;
      const size_t step = std::min(body_left_, end_ - begin_);
      begin_ += step;
      body_left_ -= step;
    }
    return true;
  }

 private:
  bool fill() { return begin_ < end_ || fill_more(); }
  bool fill_more() {
    memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const ssize_t got = recv(socket_, buffer_ + end_, sizeof buffer_ - end_, 0);
    if (got > 0) end_ += got;
    return got > 0;
  }

  int socket_;
  size_t overhead_;
  char buffer_[256 * 1024];
  size_t begin_ = 0, end_ = 0, body_left_ = 0;
};
